//! Tables in Markdown, and numbers as they stand in them.
//! Never here: a digit that the next run would change.

/// A heading, a line that says what was measured, and the table.
pub fn section(title: &str, what: &str, columns: &[&str], rows: &[Vec<String>]) -> String {
    let rule = columns.iter().enumerate().map(|(column, _)| if column == 0 { "---" } else { "---:" });
    let mut lines = vec![format!("### {title}\n\n{what}\n"), line(columns.iter().copied()), line(rule)];
    for row in rows {
        assert_eq!(row.len(), columns.len(), "a row has a cell for every column");
        lines.push(line(row.iter().map(String::as_str)));
    }
    lines.join("\n") + "\n"
}

/// Three significant digits, groups of thousands above that.
pub fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        ..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => grouped(value),
    }
}

fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
}

fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut out = if value < 0.0 { "-".to_owned() } else { String::new() };
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_or_groups() {
        let check = |value, text| assert_eq!(number(value), text);
        check(0.0, "0");
        check(0.5, "0.50");
        check(4.848, "4.85");
        check(-0.25, "-0.25");
        check(12.34, "12.3");
        check(123.4, "123");
        check(1_234.0, "1,234");
        check(205_236.4, "205,236");
        check(-1_234_567.0, "-1,234,567");
    }

    #[test]
    fn a_table_has_a_rule_under_its_columns() {
        let text = section("T", "w", &["a", "b"], &[vec!["x".to_owned(), "1".to_owned()]]);
        assert_eq!(text, "### T\n\nw\n\n| a | b |\n| --- | ---: |\n| x | 1 |\n");
    }
}
