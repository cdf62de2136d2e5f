//! A receipt for people. Only words and colours.

use super::{Style, Terminal};
use crate::core::lead::send::{SendOutcome, SendReceipt};
use crate::core::text::printable;

/// A receipt: one line, and one more where there is something to do.
pub(crate) fn receipt(receipt: &SendReceipt, look: &Terminal) -> String {
    use SendOutcome::{Delivered, Duplicate, Preview, Queued, Staged, Waiting};
    let (sign, style) = match receipt.outcome {
        Delivered | Queued | Waiting | Preview => ("✓", Style::Good),
        Duplicate | Staged => ("~", Style::Warn),
        _ => ("!", Style::Bad),
    };
    let code = receipt.code.map(|code| format!(" ({})", code.as_str())).unwrap_or_default();
    let stripped = match receipt.stripped {
        0 => String::new(),
        1 => "  1 control character was taken out".to_owned(),
        n => format!("  {n} control characters were taken out"),
    };
    format!(
        "{} {}{code} {}  {:.1} s{stripped}\n  {}\n",
        look.paint(style, sign),
        look.paint(style, receipt.outcome.as_str()),
        look.paint(Style::Strong, &printable(&receipt.session.to_string())),
        receipt.took_ms as f64 / 1000.0,
        printable(&receipt.message),
    )
}
