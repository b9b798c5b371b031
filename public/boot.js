// Starts the islands: loads the bundle named in the head and wakes each <leptos-island>, outer ones first. The same walk as
// leptos' own script for islands, from a file of its own so that no script stands in a page.
const { content, dataset } = document.querySelector("meta[name=berth-bundle]");
const whenIdle = window.requestIdleCallback ?? ((act) => setTimeout(act));
const onHydrate = [];

async function wake(island, id, bundle) {
  const start = bundle[id];
  if (!start) return console.warn(`The bundle has no island ${id}.`);
  onHydrate.at(-1)?.();
  await start(island);
}

async function walk(node, bundle) {
  const children = node.tagName === "LEPTOS-CHILDREN";
  if (node.tagName === "LEPTOS-ISLAND") await wake(node, node.dataset.component, bundle);
  if (children) onHydrate.push(node.$$on_hydrate);
  for (const child of node.children) await walk(child, bundle);
  if (children) onHydrate.pop();
}

whenIdle(async () => {
  const bundle = await import(content);
  await bundle.default({ module_or_path: dataset.wasm });
  bundle.hydrate();
  window.__hydrateIsland = (island, id) => wake(island, id, bundle);
  await walk(document.body, bundle);
  document.documentElement.dataset.awake = "";
});
