//! `headcount mcp`: a server for agents, in the Model Context Protocol, over the standard input and output. What it does is what the
//! commands of headcount do; nothing but the protocol goes to stdout.

mod access;
mod answer;
mod arguments;
mod call;
mod config;
mod run;
mod server;
mod tools;

use std::io::{self, IsTerminal as _};
use std::pin::Pin;
use std::task::{Poll, ready};

use rmcp::ServiceExt as _;
use rmcp::transport::io::{StdioReader, stdio_pipes};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use self::access::Access;
use self::server::McpServer;
use super::Context;
use super::args::McpArgs;
use super::error::{CliError, Exit};
use crate::control::lead;

/// Serves until the standard input ends, or until it is asked to end.
pub(crate) fn run(args: &McpArgs, context: &Context) -> Result<Exit, CliError> {
    if let Some(client) = args.print_config {
        return config::print(client, args, context);
    }
    if io::stdin().is_terminal() {
        let error =
            CliError::new(Exit::Usage, "`headcount mcp` is for a client of the Model Context Protocol, and a terminal is none");
        return Err(error.hint("`headcount mcp --print-config AGENT` shows how an agent starts it"));
    }
    let program = lead::launcher().map_err(|why| CliError::new(Exit::Failure, why))?;
    let failed = |error: io::Error| CliError::new(Exit::Failure, format!("cannot serve: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let access = Access::new(&args.allow);
    let served = runtime.block_on(serve(access, context.clone(), program));
    // A read of the standard input that still waits holds up nobody.
    runtime.shutdown_background();
    served.map_err(failed).map(|()| Exit::Done)
}

async fn serve(access: Access, context: Context, program: std::path::PathBuf) -> io::Result<()> {
    let (over, is_over) = watch::channel(false);
    let (reader, writer) = stdio_pipes();
    let reader = Watched { reader, over: over.clone() };
    let signals = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
    let [mut term, mut int, mut hup] = signals;
    let asked = async {
        let (Ok(term), Ok(int), Ok(hup)) = (&mut term, &mut int, &mut hup) else { return std::future::pending().await };
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {}, _ = hup.recv() => {} }
    };
    tokio::pin!(asked);
    let beginning = McpServer::new(access, context, program, is_over).serve((reader, writer));
    let running = tokio::select! {
        begun = beginning => match begun {
            Ok(running) => running,
            // The client left before it said who it is.
            Err(error) => {
                tracing::info!("no client: {error}");
                return Ok(());
            }
        },
        () = &mut asked => return Ok(()),
    };
    let end = running.cancellation_token();
    let ended = running.waiting();
    tokio::pin!(ended);
    tokio::select! {
        ended = &mut ended => drop(ended),
        () = &mut asked => {
            let _ = over.send(true);
            end.cancel();
            let _ = ended.await;
        }
    }
    Ok(())
}

/// The standard input; says when it has ended.
struct Watched {
    reader: StdioReader,
    over: watch::Sender<bool>,
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.reader).poll_read(cx, buffer));
        if read.is_err() || buffer.filled().len() == before {
            let _ = self.over.send(true);
        }
        Poll::Ready(read)
    }
}
