// Answers every request and notes its first line. Usage: service.js PORT LOG
const fs = require("fs");
const [port, log] = process.argv.slice(2);
const note = (line) => fs.appendFileSync(log, line + "\n");
const server = require("http").createServer({ insecureHTTPParser: true }, (request, answer) => {
  note(`${request.method} ${request.url} HTTP/${request.httpVersion}`);
  request.on("error", () => {});
  request.on("data", () => {});
  request.on("end", () => answer.end("ok"));
});
server.on("clientError", (error, socket) => {
  // The edge only closed a connection, or broke a request off.
  if (!["ECONNRESET", "HPE_INVALID_EOF_STATE"].includes(error.code)) note(`? ${error.code}`);
  socket.destroy();
});
server.on("upgrade", (request, socket) => {
  note(`${request.method} ${request.url} UPGRADE`);
  socket.destroy();
});
server.keepAliveTimeout = 60000;
server.listen(Number(port), "127.0.0.1");
