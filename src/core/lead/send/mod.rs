//! Sending a text to an agent: what may be typed, whether it may be typed now, what its composer holds, and what a receipt says. Pure.

mod answer;
mod ask;
pub mod composer;
mod guard;
mod question;
mod queue;
mod receipt;
mod screen;
mod text;

pub use answer::{ANSWER_SCHEMA, AnswerChoice, AnswerOutcome, AnswerReport, is_asking, may_choose, number};
pub use ask::{ASK_SCHEMA, AskEnd, AskReport};
pub use composer::{
    Composer, ComposerTable, Counted, Frame, PasteMark, Staged, TextShape, composer, has_popup, is_busy, staged,
};
pub use guard::{
    Addressee, ComposerPane, PaneAddress, TypingPermit, is_listening, may_close_popup, may_interrupt, may_paste, may_submit,
    may_type_as_read, may_type_blindly,
};
pub use question::{AgentQuestion, QuestionEdge, QuestionTable};
pub use queue::{MOST_WAITING, QUEUE_SCHEMA, QueueReport, QueueRow, WaitingText, first_of_each, is_waited_out, may_wait};
pub use receipt::{RECEIPT_SCHEMA, Said, SaidAs, SendOutcome, SendPhases, SendReceipt};
pub use screen::{CellColour, PaneScreen, ScreenCell, ScreenRow, holds, squeezed};
pub use text::{LONGEST, TextOptions, TextRefusal, Typable, typable, without_controls};
