//! The chain of events, and their pages.

use app::model::{Actor, EventFilter, PageRequest, TeamId};
use server::{
    args,
    store::{
        Db, Query as _,
        events::{self, NewEvent, Of},
    },
};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;

use super::on_both;

on_both! { the_chain_holds_under_many_writers pages_are_complete_and_walled }

async fn team(db: &Db, name: &str) -> TeamId {
    let mut tx = db.begin().await.unwrap();
    tx.execute("INSERT INTO teams (id, name, created_at) VALUES ($1, $1, 0)", args![name]).await.unwrap();
    tx.commit().await.unwrap();
    TeamId::from_text(name)
}

async fn write(db: &Db, team: Option<&TeamId>, subject: String) {
    let mut tx = db.begin().await.unwrap();
    let event = NewEvent { team, action: "test.done", subject, detail: "A detail.".into(), ..NewEvent::default() };
    events::insert(&mut tx, &Actor::system("test"), event).await.unwrap();
    tx.commit().await.unwrap();
}

/// What the hash of each row should be, from the rows alone.
async fn chain_holds(db: &Db, team: &TeamId) -> bool {
    let rows = db.fetch_all("SELECT * FROM events WHERE team_id = $1 ORDER BY id", args![team]).await.unwrap();
    let mut before = String::new();
    rows.iter().all(|row| {
        let text = |column| row.text(column).unwrap();
        let at = row.time("at").unwrap().to_string();
        let parts = [&before, &text("id"), team.as_str(), &at, &text("actor"), &text("action"), &text("subject"), &text("detail")];
        let expected = hex::encode(Sha256::digest(parts.join("\u{1f}")));
        before = text("hash");
        before == expected
    })
}

async fn the_chain_holds_under_many_writers(db: Db) {
    let team = team(&db, "a").await;
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let (db, team) = (db.clone(), team.clone());
        writers.spawn(async move {
            for n in 0..5 {
                write(&db, Some(&team), format!("{writer}.{n}")).await;
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    assert!(chain_holds(&db, &team).await);
    let mut tx = db.begin().await.unwrap();
    tx.execute("UPDATE events SET detail = 'Another.' WHERE subject = '3.2'", args![]).await.unwrap();
    tx.commit().await.unwrap();
    assert!(!chain_holds(&db, &team).await, "a changed row shows");
}

async fn pages_are_complete_and_walled(db: Db) {
    let (a, b) = (team(&db, "a").await, team(&db, "b").await);
    for n in 0..7 {
        write(&db, Some(&a), format!("a{n}")).await;
        write(&db, Some(&b), format!("b{n}")).await;
        write(&db, None, format!("p{n}")).await;
    }
    let all = async |of: &Of<'_>, filter: &EventFilter| {
        let (mut subjects, mut cursor) = (Vec::new(), None);
        loop {
            let page = events::list(&db, of, filter, &PageRequest { cursor, limit: Some(4) }).await.unwrap();
            subjects.extend(page.items.into_iter().map(|event| event.subject));
            match page.next {
                Some(next) => cursor = Some(next),
                None => break subjects,
            }
        }
    };
    let filter = EventFilter::default();
    let mine = all(&[a.clone()].into(), &filter).await;
    assert_eq!(mine, ["a6", "a5", "a4", "a3", "a2", "a1", "a0"]);
    let both = all(&Of::Teams(vec![a.clone(), b.clone()].into()), &filter).await;
    assert_eq!(both.len(), 14);
    assert_eq!(both[..3], ["b6", "a6", "b5"], "newest first across teams");
    assert_eq!(all(&Of::Everything, &filter).await.len(), 21);
    assert!(all(&Of::Teams(Vec::new().into()), &filter).await.is_empty());
    let many: Vec<TeamId> = (0..80).map(|n| TeamId::from_text(format!("x{n}"))).chain([a, b]).collect();
    assert_eq!(all(&Of::Teams(many.into()), &filter).await.len(), 14, "many teams are looked at together");
    let nobody = EventFilter { actor: Some("nobody".into()), ..EventFilter::default() };
    assert!(all(&Of::Everything, &nobody).await.is_empty());
}
