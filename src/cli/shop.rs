//! The demo's database: a SQLite file with the shop in it.
//! Never here: a database of somebody else changed; the seed only adds what is missing.

use std::io;
use std::path::{Path, PathBuf};

use crate::backends::sqlite;
use crate::net::entropy::random_u64;

const SEED: &str = include_str!("../demo/shop.sql");

/// The file, and whether it goes with the process.
pub struct Shop {
    path: PathBuf,
    temporary: Option<PathBuf>,
}

impl Shop {
    /// # Errors
    /// The file cannot be written, or is no database.
    pub fn open(path: Option<&Path>) -> Result<Self, String> {
        let shop = match path {
            Some(path) => Self { path: path.to_owned(), temporary: None },
            None => Self::temporary().map_err(|error| format!("no temporary folder: {error}"))?,
        };
        sqlite::run_script(&shop.path, SEED).map_err(|reason| format!("{}: {reason}", shop.path.display()))?;
        Ok(shop)
    }

    pub fn url(&self) -> String {
        format!("sqlite://{}", self.path.display())
    }

    fn temporary() -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("tidegate-demo-{:016x}", random_u64()));
        std::fs::create_dir(&folder)?;
        Ok(Self { path: folder.join("shop.db"), temporary: Some(folder) })
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        if let Some(folder) = &self.temporary {
            // What is left in a temporary folder hurts nobody.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}
