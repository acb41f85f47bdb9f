//! x
use clap::Args;
#[derive(Args)]
pub struct CompareArgs {}
pub fn run(_: &CompareArgs) -> std::io::Result<()> {
    Ok(())
}
