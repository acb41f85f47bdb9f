//! Runs a query and renders its rows.
//! Never here: changes of data.

use std::sync::Arc;

use crate::backends::database::Page;
use crate::backends::sqlite::error::Stop;
use crate::backends::sqlite::session::Session;
use crate::core::config::checked::{Query, Rows, Value};
use crate::core::fault::Fault;
use crate::proto::json::rows::{Answer, Frame, Room, RowsWriter};

impl Session {
    /// The rendered rows; `None` when a query of one row has none.
    ///
    /// # Errors
    /// `Timeout`, `Busy` or `BackendRefused` of the database; `Internal` for a query or page that was not configured.
    pub fn read(&mut self, query: &Query, params: &[Value], page: Option<Page>) -> Result<Option<Arc<Answer>>, Fault> {
        self.rows(query, params, page).map_err(|stop| stop.into_fault(&query.name))
    }

    fn rows(&mut self, query: &Query, params: &[Value], page: Option<Page>) -> Result<Option<Arc<Answer>>, Stop> {
        let frame = frame(query.rows, page)?;
        let plan = self.plans.reads.get_mut(&query.name).ok_or(Fault::Internal)?;
        let mut statement = self.connection.prepare_cached(&query.sql)?;
        plan.binds.bind(&mut statement, params, page)?;
        let mut rows = statement.raw_query();
        let mut row = rows.next()?;
        if let Some(first) = row {
            plan.layout.follow(first.as_ref())?;
        }
        let mut writer = RowsWriter::new(Arc::clone(&plan.layout.columns), frame);
        while let Some(current) = row {
            if writer.begin_row()? == Room::Full {
                break;
            }
            plan.layout.write_row(current, &mut writer)?;
            row = rows.next()?;
        }
        Ok(writer.finish()?.map(Arc::new))
    }
}

fn frame(rows: Rows, page: Option<Page>) -> Result<Frame, Fault> {
    match (rows, page) {
        (Rows::One, None) => Ok(Frame::One),
        (Rows::Many { rows_max }, None) => Ok(Frame::Many { rows_max }),
        (Rows::Paged { .. }, Some(page)) => Ok(Frame::Paged { page: page.number, page_size: page.size }),
        (Rows::One | Rows::Many { .. }, Some(_)) | (Rows::Paged { .. }, None) => Err(Fault::Internal),
    }
}
