//! A thousand sign-ins at once: the API goes on answering, who is too late is told so, and guessing is not free.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;

use crate::support::{
    app::{Answer, Client, PASSWORD, TestApp},
    proof,
};

const PARALLEL: usize = 1_000;
/// What logins are to do to the reads of everybody else at most …
const FACTOR: f64 = 2.0;
/// … and what fails. The logins are sent by this process too, on the same processors: of what a round shows, a part is theirs.
const FAILS: f64 = 4.0;
/// So many rounds are tried until one holds. What else the machine does makes a read take longer and never shorter: the best
/// round is the nearest to what the logins cost, and a defect of ours shows in every one.
const ROUNDS: usize = 6;

/// How long reads take, one after the other, while `going` says so.
async fn reads(client: &Client, mut going: impl FnMut(usize) -> bool) -> Vec<Duration> {
    let mut took = Vec::new();
    while going(took.len()) {
        let began = Instant::now();
        client.get("/me").await.is(200);
        took.push(began.elapsed());
    }
    took
}

fn p99(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took[(took.len() * 99 / 100).min(took.len() - 1)]
}

/// How the logins were answered.
#[derive(Default)]
struct Answers {
    checked: usize,
    late: usize,
}

impl Answers {
    fn count(&mut self, answer: Answer) {
        match answer.status {
            401 => self.checked += 1,
            503 => {
                assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
                assert!(answer.refused(503, "busy").contains("Try again"));
                self.late += 1;
            }
            other => panic!("{other}: {}", answer.text),
        }
    }
}

/// What a round saw: the 99th percentile of reads without logins and with them, and how many reads the second is of.
struct Round {
    quiet: Duration,
    storm: Duration,
    samples: usize,
}

impl Round {
    async fn new(app: &TestApp, reader: &Client, number: usize, answers: &mut Answers) -> Self {
        let before = p99(reads(reader, |n| n < 300).await);
        let nobody = app.anonymous();
        let logins = join_all((0..PARALLEL).map(|n| {
            let address = format!("10.{number}.{}.{}", n / 250, n % 250);
            let client = nobody.clone().with("x-forwarded-for", &address);
            tokio::spawn(async move {
                client.post("/actions/login", json!({"email": format!("p{number}-{n}@a.test"), "password": "a wrong password"})).await
            })
        }));
        let logins = tokio::spawn(logins);
        let storm = reads(reader, |n| n < 10 || !logins.is_finished()).await;
        for answer in logins.await.unwrap() {
            answers.count(answer.unwrap());
        }
        // The lower of the two: what made one of them slow was not the machine's usual pace, and would flatter the logins.
        let quiet = p99(reads(reader, |n| n < 300).await).min(before);
        Self { quiet, samples: storm.len(), storm: p99(storm) }
    }

    fn factor(&self) -> f64 {
        self.storm.as_secs_f64() / self.quiet.as_secs_f64()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_sign_ins_leave_room_for_everybody_else() {
    // Each from an address of its own: the limit of one address is not what is tried here.
    let app = TestApp::set_up(|config| config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()]).await.with_team("a").await;
    let reader = app.client("viewer@a.test").await;
    reads(&reader, |n| n < 100).await;
    let (mut rounds, mut answers) = (Vec::<Round>::new(), Answers::default());
    while rounds.len() < ROUNDS && rounds.last().is_none_or(|last| last.factor() > FACTOR) {
        rounds.push(Round::new(&app, &reader, rounds.len(), &mut answers).await);
    }
    let Answers { checked, late } = answers;
    assert_eq!(checked + late, PARALLEL * rounds.len());
    assert!(checked > 0 && late > 0, "{checked} checked, {late} late: the queue is neither closed nor endless");
    let good = app.anonymous().post("/actions/login", json!({"email": "viewer@a.test", "password": PASSWORD})).await;
    assert_eq!(good.status, 201, "{}", good.text);
    let factors: Vec<String> = rounds.iter().map(|round| format!("{:.1} ×", round.factor())).collect();
    let best = rounds.iter().min_by(|one, other| one.factor().total_cmp(&other.factor())).unwrap();
    let Round { quiet, storm, samples } = best;
    proof(
        "passwords",
        &format!(
            "{} × {PARALLEL} parallel logins ({checked} checked, {late} told to come back): p99 of reads {:.1} ms quiet, {:.1} ms meanwhile ({}, {samples} samples)",
            rounds.len(),
            quiet.as_secs_f64() * 1e3,
            storm.as_secs_f64() * 1e3,
            factors.join(", "),
        ),
    );
    assert!(best.factor() <= FAILS, "in none of {ROUNDS} rounds: {factors:?}");
}
