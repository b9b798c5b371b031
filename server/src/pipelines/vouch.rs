//! What is written down of an image when it is built, signed: where it came from, and what is in it. Gathered before the
//! transaction that ends the run, and written in it.

use std::{collections::BTreeMap, ops::Deref, path::Path};

use app::{
    model::{BaseImage, CandidateId, Made, TestCounts, Timestamp},
    said,
};
use sha2::{Digest as _, Sha256};

use super::{
    Context,
    file::{FILE_NAME, MAX_BYTES, Pipeline},
    intake::run_path,
};
use crate::{
    candidates::{
        Subject,
        dsse::{self, Signed},
        packages::{self, Inventory},
        provenance::{self, Origin},
        sbom,
    },
    clock, git,
    platform::{ImageInfo, ImageRead, PlatformError},
    secrets::SecretsError,
    store::{
        StoreError, Tx, files, repositories, results,
        runs::RunRow,
        services,
        statements::{self, Kind, StatementRow},
    },
};

/// The most bytes that are read of an image's package databases.
const MOST: usize = 32 << 20;

/// An image with what is said of it.
#[derive(Clone, Debug)]
pub struct Baked {
    /// The image.
    image: ImageInfo,
    /// How it was made.
    pub made: Made,
    provenance: Signed,
    sbom: Signed,
}

impl Deref for Baked {
    type Target = ImageInfo;

    fn deref(&self) -> &ImageInfo {
        &self.image
    }
}

/// What kept it from being gathered.
#[derive(Debug, thiserror::Error)]
pub enum VouchError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine, where it may pass.
    #[error(transparent)]
    Engine(#[from] PlatformError),
    /// The key.
    #[error(transparent)]
    Key(#[from] SecretsError),
}

/// A build that came to an image.
pub struct Built<'a> {
    /// The run.
    pub run: &'a RunRow,
    /// Its pipeline.
    pub pipeline: &'a Pipeline,
    /// The image.
    pub image: ImageInfo,
    /// What it was built on or from.
    pub bases: Vec<BaseImage>,
    /// When the build began.
    pub began: Timestamp,
}

/// Gathers and signs what is said of an image. What an image does not tell of itself is said not to be known, never an error.
///
/// # Errors
/// Where store or engine do not answer now.
pub async fn gather(ctx: &Context, built: Built<'_>) -> Result<Baked, VouchError> {
    let Built { run, pipeline, image, bases, began } = built;
    let ended = clock::now();
    let found = inventory(ctx, run, &image).await?;
    let subject = Subject { name: format!("{}/{}", run.team, run.service), image: image.id.clone() };
    let named = repositories::by_id(&ctx.db, &run.repository_id).await?.map(|repository| repository.name.to_string());
    let repository = services::clone_url(&ctx.config.url, &run.team, &named.unwrap_or_else(|| run.service.to_string()));
    let file = digest_of_file(&ctx.repository(&run.repository_id), &run.commit).await;
    let (folder, dockerfile) = pipeline.context();
    let (tests, taken) = (tests_of(ctx, run).await?, taken_by(ctx, run).await?);
    let origin = Origin {
        builder: &ctx.config.url,
        repository: &repository,
        reference: &format!("refs/heads/{}", run.branch),
        commit: &run.commit,
        file: file.as_deref(),
        path: folder,
        dockerfile: &dockerfile,
        engine_builder: pipeline.builder.name(),
        recipe: pipeline.recipe.as_ref().map(|recipe| (recipe.kind.name(), recipe.artifact.as_str())),
        target: pipeline.target.as_deref(),
        args: &pipeline.args,
        bases: &bases,
        run: &format!("{}{}", ctx.config.url, run_path(run.team.as_str(), run.service.as_str(), run.number)),
        by: &run.pushed_by,
        taken: &taken,
        tests: tests.as_ref(),
        began,
        ended,
    };
    let signer = ctx.secrets.signer()?;
    let provenance = dsse::sign(&signer, provenance::about(&subject, &origin).to_string().into_bytes())?;
    let listed = sbom::document(&subject, &found, &clock::new_id(), ended);
    let sbom = dsse::sign(&signer, sbom::about(&subject, &listed).to_string().into_bytes())?;
    let build_ms = u64::try_from(ended.since(began).as_millis()).unwrap_or(u64::MAX);
    let made = Made { build_ms, bases, packages: found.count(), by: run.pushed_by.clone(), tests };
    Ok(Baked { image, made, provenance, sbom })
}

/// What the image's own files say of its packages.
async fn inventory(ctx: &Context, run: &RunRow, image: &ImageInfo) -> Result<Inventory, PlatformError> {
    let read = ImageRead {
        image: image.id.clone(),
        run: run.id.clone(),
        team: run.team_id.clone(),
        paths: packages::PATHS.map(str::to_owned).into(),
        most: MOST,
    };
    match ctx.platform.read_image(&read).await {
        Ok(files) => Ok(packages::read(&files)),
        Err(error) if error.passing() => Err(error),
        Err(error) => Ok(Inventory::unread(&error.to_string())),
    }
}

/// What the run's tests came to; none where none of its steps left a report.
async fn tests_of(ctx: &Context, run: &RunRow) -> Result<Option<TestCounts>, StoreError> {
    let reports = results::of_run(&ctx.db, &run.team_id, &run.id).await?;
    Ok(reports.iter().map(|report| &report.counts).fold(None, |sum: Option<TestCounts>, counts| {
        let sum = sum.unwrap_or_default();
        Some(TestCounts {
            passed: sum.passed + counts.passed,
            failed: sum.failed + counts.failed,
            skipped: sum.skipped + counts.skipped,
            took_ms: sum.took_ms + counts.took_ms,
            ..sum
        })
    }))
}

/// What the run took over from others, by their addresses: `stage/step`.
async fn taken_by(ctx: &Context, run: &RunRow) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    let mut taken: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (stage, step, number) in files::taken(&ctx.db, &run.id).await? {
        let address = format!("{}{}", ctx.config.url, run_path(run.team.as_str(), run.service.as_str(), number));
        taken.entry(address).or_default().push(format!("{stage}/{step}"));
    }
    Ok(taken)
}

/// The SHA-256 of the commit's `berth.yaml`, where it has one that can be read.
async fn digest_of_file(repository: &Path, commit: &str) -> Option<String> {
    let text = git::read_file(repository, commit, FILE_NAME, MAX_BYTES).await.ok()??;
    Some(hex::encode(Sha256::digest(text)))
}

impl Baked {
    /// A line for the log: how much is known of the image.
    pub fn says(&self) -> String {
        self.made.packages.map_or_else(said::packages_unknown, said::packages_listed)
    }

    /// Writes it down beside its candidate.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn write(&self, tx: &mut Tx, candidate: &CandidateId) -> Result<(), StoreError> {
        for (kind, signed) in [(Kind::Provenance, &self.provenance), (Kind::Sbom, &self.sbom)] {
            let row = StatementRow { payload: signed.payload.clone(), key: signed.key.clone(), signature: signed.signature.clone() };
            statements::insert(tx, candidate, kind, &row).await?;
        }
        Ok(())
    }
}
