//! The lock, and whoever is in the way.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_in_the_way_is_waited_for_without_keeping_others_waiting() {
    let mut scene = Scene::new().await;
    let engine = scene.database().await.engine();
    engine.up_all(&set([table(0, "a")])).await.unwrap();
    scene.run("BEGIN; SELECT * FROM a").await;
    let add = tagged(1, migration("add").add_field("a", integer("more")).build());
    let started = Instant::now();
    let applying = tokio::spawn(async move { engine.up(&add).await });
    // Others get at the table while the migration waits for its turn.
    let mut third = PgConnection::connect(&scene.url).await.unwrap();
    let mut reads = 0;
    while started.elapsed() < Duration::from_secs(4) {
        run(
            &mut third,
            "SET statement_timeout = '2500ms'; SELECT * FROM a",
        )
        .await;
        reads += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(reads > 3, "{reads}");
    assert!(!applying.is_finished());
    scene.run("COMMIT").await;
    assert_eq!(applying.await.unwrap().unwrap().applied.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_lock_is_left_by_a_panic_or_a_cancelled_run() {
    let mut scene = Scene::new().await;
    let database = scene.database().await;
    let mut options = EngineOptions::default();
    options.observer = Some(Arc::new(|_: &Event| panic!("on purpose")));
    let engine = database.engine_with(options);
    let all = set([table(0, "a")]);
    let run = {
        let all = all.clone();
        tokio::spawn(async move { engine.up_all(&all).await })
    };
    assert!(run.await.unwrap_err().is_panic());
    scene.until(&format!("({ADVISORY_LOCKS}) = 0")).await;

    let slow = tagged(
        1,
        migration("slow")
            .raw("postgresql", "SELECT pg_sleep(3)")
            .inverse("SELECT 1")
            .build(),
    );
    let slow = set([table(0, "a"), slow]);
    let engine = database.engine();
    let cancelled = {
        let (engine, slow) = (database.engine(), slow.clone());
        tokio::spawn(async move { engine.up_all(&slow).await })
    };
    let sleeps = "EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep')";
    scene.until(sleeps).await;
    cancelled.abort();
    assert!(cancelled.await.unwrap_err().is_cancelled());
    // While the server still works for the one that is gone, nobody else gets in; then it ends.
    assert_eq!(scene.ask(ADVISORY_LOCKS).await, "1");
    scene.until(&format!("({ADVISORY_LOCKS}) = 0")).await;
    engine.up_all(&slow).await.unwrap();
    assert!(engine.verify().await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiter_is_told_who_holds_the_lock() {
    let scene = Scene::new().await;
    let database = scene.database().await;
    let actor = Actor::current();
    let session = database
        .backend()
        .lock(&actor, &Patience::default())
        .await
        .unwrap();
    let holder = database.engine().lock_holder().await.unwrap().unwrap();
    assert_eq!((holder.owner, holder.lease_ms), (actor.owner.clone(), None));
    let engine = database.engine_with(patience(Duration::from_millis(300)));
    let error = engine.up(&table(0, "a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(error.to_string().contains(&actor.owner), "{error}");
    session.release().await.unwrap();
    assert!(database.engine().lock_holder().await.unwrap().is_none());
}

fn note(text: &str) -> Put {
    Put::State {
        key: "note".to_owned(),
        value: Some(text.to_owned()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_replaced_with_the_lock_unless_somebody_took_it() {
    let mut scene = Scene::new().await;
    let database = scene.database().await;
    let patience = Patience::default();
    let mut session = database
        .backend()
        .lock(&Actor::current(), &patience)
        .await
        .unwrap();
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE locktype = 'advisory' AND d.datname = current_database()";
    assert_eq!(scene.ask(end).await, "1");
    scene.until(&format!("({ADVISORY_LOCKS}) = 0")).await;
    // Looking is not writing: nothing is in doubt, and the lock comes back with the connection.
    assert!(session.state("note").await.is_err());
    assert!(session.state("note").await.unwrap().is_empty());
    assert_eq!(scene.ask(ADVISORY_LOCKS).await, "1");
    session.record(&[note("again")]).await.unwrap();

    assert_eq!(scene.ask(end).await, "1");
    scene.until(&format!("({ADVISORY_LOCKS}) = 0")).await;
    let second = database
        .backend()
        .lock(&Actor::current(), &patience)
        .await
        .unwrap();
    assert!(session.state("note").await.is_err());
    let written = session.record(&[note("a zombie was here")]).await;
    assert!(
        matches!(written, Err(SessionError::LockLost)),
        "{written:?}"
    );
    let kept = "SELECT value FROM ductape_state WHERE key = 'note'";
    assert_eq!(scene.ask(kept).await, "again");
    second.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_cannot_raise_the_fence_while_a_unit_is_open() {
    let mut scene = Scene::new().await;
    let database = scene.database().await;
    let patience = Patience::default();
    let mut session = database
        .backend()
        .lock(&Actor::current(), &patience)
        .await
        .unwrap();
    // As a runner does that does not know of the first: the row is written without its lock.
    let raise = "UPDATE ductape_state SET value = replace(value, '\"fence\" : 1', '\"fence\" : 2') WHERE key = 'lock'";
    scene.run("SET lock_timeout = '300ms'").await;
    let step =
        ductape_core::Step::statement(0..0, ductape_core::Statement::sql("SELECT pg_sleep(1)"));
    let unit = ductape::engine::backend::Unit {
        steps: vec![step],
        puts: vec![note("done")],
    };
    let working = tokio::spawn(async move {
        let done = session.transact(std::slice::from_ref(&unit)).await;
        assert!(done.1.is_none(), "{done:?}");
        session
    });
    scene
        .until("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND wait_event = 'PgSleep')")
        .await;
    let refused = sqlx::raw_sql(raise).execute(&mut scene.other).await;
    let code = refused.unwrap_err().into_database_error().unwrap();
    assert_eq!(code.code().as_deref(), Some("55P03"));
    let mut session = working.await.unwrap();
    scene.run(raise).await;
    let written = session.record(&[note("a zombie was here")]).await;
    assert!(
        matches!(written, Err(SessionError::LockLost)),
        "{written:?}"
    );
    let vacuum = ductape_core::Step::statement(0..0, ductape_core::Statement::sql("VACUUM"));
    assert!(matches!(session.run(&vacuum).await, Outcome::LockLost));
    assert!(matches!(
        session.release().await,
        Err(SessionError::LockLost)
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lock_can_be_taken_away() {
    let scene = Scene::new().await;
    let database = scene.database().await;
    let actor = Actor::current();
    let mut session = database
        .backend()
        .lock(&actor, &Patience::default())
        .await
        .unwrap();
    let holder = database.backend().force_release().await.unwrap().unwrap();
    assert_eq!(holder.owner, actor.owner);
    assert!(database.engine().lock_holder().await.unwrap().is_none());
    assert!(session.state("note").await.is_err());
    let written = session.record(&[note("still here")]).await;
    assert!(
        matches!(written, Err(SessionError::LockLost)),
        "{written:?}"
    );
    database.engine().up(&table(0, "a")).await.unwrap();
}
