//! The main job, on a SQLite file: create, change, look, and roll back.
//!
//! `cargo run --example quickstart`

use ductape::prelude::*;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("ductape-quickstart-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let url = format!("sqlite://{}", folder.join("app.db").display());
    let outcome = show(&url).await;
    std::fs::remove_dir_all(&folder)?;
    outcome
}

async fn show(url: &str) -> Result<(), Box<dyn std::error::Error>> {
    let create = migration("create_users")
        .description("People who can sign in")
        .create_collection(
            "users",
            [
                uuid("id").primary_key(),
                string("email").length(255).required().unique(),
                string("name").length(100),
            ],
        )
        .timestamps()
        .build()?;
    let change = migration("add_phone_to_users")
        .add_field("users", string("phone").length(20))
        .create_index("users", index("idx_users_phone", ["phone"]))
        .modify_field("users", "name", change().length(200))
        .build()?;
    let set = MigrationSet::new([create, change])?;

    let engine = Database::connect(url).await?.engine();
    println!("The plan, both ways:\n");
    println!("{}", engine.plan_all(&set, &Default::default()).await?);

    let report = engine.up_all(&set).await?;
    for done in &report.applied {
        println!("applied      {} ({} statements)", done.tag, done.statements);
    }
    let status = engine.status(&set).await?;
    println!(
        "status       {} of {} applied",
        status.completed, status.total
    );
    for entry in engine.history().await? {
        println!(
            "history      {} {} {}",
            entry.seq, entry.tag, entry.checksum
        );
    }
    let report = engine
        .roll_back(&ductape::engine::Rollback::Last(2))
        .await?;
    for done in &report.rolled_back {
        println!("rolled back  {}", done.tag);
    }
    let left = engine.live_schema().await?.len();
    println!("left         {left} collections");
    Ok(())
}
