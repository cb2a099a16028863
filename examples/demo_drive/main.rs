//! Makes a small "drive" of real encoded media, good and bad: `cargo run --example demo_drive -- DIR`.

#![allow(clippy::print_stdout, reason = "an example talks")]

mod drive;

fn main() -> anyhow::Result<()> {
    let dir = std::env::args_os().nth(1).ok_or_else(|| anyhow::anyhow!("usage: demo_drive DIR"))?;
    let dir = std::path::PathBuf::from(dir);
    if dir.join("README.txt").exists() {
        println!("{} is there already", dir.display());
        return Ok(());
    }
    drive::make(&dir)?;
    println!("made {}", dir.display());
    Ok(())
}
