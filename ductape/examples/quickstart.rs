//! The main job, on a SQLite file: create, change, look, and roll back, with the SQL both ways.
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
    Ok(outcome?)
}

async fn show(url: &str) -> Result<(), Error> {
    let db = Database::connect(url).await?;

    // A call is a migration: planned here, applied when it is awaited.
    let create = db
        .schema()
        .create(
            "users",
            [
                uuid("id").primary_key(),
                string("email").length(255).required().unique(),
                string("name").length(100),
            ],
        )
        .timestamps();
    println!("create\n\n{}", create.clone().plan().await?);
    let users = create.await?;
    println!("applied      {}", users.migration.tag);

    // Several changes as one migration, applied once however often the program starts.
    let change = migration("add_phone_to_users")
        .add_field("users", string("phone").length(20))
        .create_index("users", index("idx_users_phone", ["phone"]))
        .modify_field("users", "name", change().length(200))
        .build()?;
    println!("\nchange\n\n{}", db.engine().plan(&change).await?);
    let set = MigrationSet::new([change])?;
    for done in db.engine().up_all(&set).await?.applied {
        println!("applied      {} ({} statements)", done.tag, done.statements);
    }

    println!("\nlook\n");
    let status = db.engine().status(&set).await?;
    println!(
        "status       {} of {} applied",
        status.completed, status.total
    );
    for entry in db.engine().history().await? {
        println!(
            "history      {} {} {}",
            entry.seq, entry.tag, entry.checksum
        );
    }

    println!("\nroll back\n");
    for entry in db.engine().history().await?.iter().rev() {
        db.engine().down(&entry.migration).await?;
        println!("rolled back  {}", entry.tag);
    }
    let left = db.engine().live_schema().await?.len();
    println!("left         {left} collections");
    Ok(())
}
