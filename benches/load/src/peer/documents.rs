//! The answer's body as files, for servers that serve nothing else.
//! Never here: a head. Those servers write their own.

use std::io::Result;
use std::path::PathBuf;

use super::Site;

/// Writes the body under every path of the site and returns the folder.
pub fn write(site: &Site<'_>) -> Result<PathBuf> {
    let root = site.dir.join("documents");
    for path in site.paths {
        let file = root.join(path.trim_start_matches('/'));
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(file, &site.answer.body)?;
    }
    Ok(root)
}
