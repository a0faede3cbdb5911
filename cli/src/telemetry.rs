//! What is told of a command while it runs: the log on standard error, and spans for a collector.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use clap::{Args, ValueEnum};
use martello_serving::layers::access_log;
use martello_serving::otlp::Otlp;
use tracing::Level;
use tracing_subscriber::Layer as _;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::output::printable;

/// Whether requests should stand in spans, since somebody collects them.
static EXPORTS_SPANS: AtomicBool = AtomicBool::new(false);

/// What is told, and to whom.
#[derive(Debug, Args)]
pub(crate) struct TelemetryArgs {
    /// How much to log on standard error.
    #[arg(long, global = true, env = "MARTELLO_LOG", value_enum, default_value_t = LogLevel::Warn)]
    log: LogLevel,
    /// Send the spans of requests to an OpenTelemetry collector, by OTLP over HTTP: http://127.0.0.1:4318.
    #[arg(long, global = true, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    otlp_endpoint: Option<String>,
    /// The name under which a collector knows this process.
    #[arg(long, global = true, env = "OTEL_SERVICE_NAME", value_name = "NAME", default_value = "martello")]
    otlp_service_name: String,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

impl TelemetryArgs {
    /// Installs the subscriber of the process; what is returned has spans to export at the end. Standard output stays free for
    /// results.
    pub(crate) fn install(&self) -> anyhow::Result<Option<Otlp>> {
        let collector = self.otlp_endpoint.as_deref().filter(|endpoint| !endpoint.is_empty());
        let otlp = collector.map(|endpoint| Otlp::new(endpoint, &self.otlp_service_name)).transpose();
        let otlp = otlp.context("cannot export spans")?;
        EXPORTS_SPANS.store(otlp.is_some(), Ordering::Relaxed);
        let level = Level::from(self.log);
        // Whoever has an access log has asked for it, whatever else is to be logged.
        let wanted =
            Targets::new().with_default(level).with_target(access_log::TARGET, level.max(Level::INFO));
        let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
        // What a field holds may come from a file or from a server, so that no control character of it is sent.
        let fields = debug_fn(|writer, field, value| {
            let value = format!("{value:?}");
            match field.name() {
                "message" => write!(writer, "{}", printable(&value)),
                name => write!(writer, "{name}={}", printable(&value)),
            }
        });
        let text = tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(ansi)
            .fmt_fields(fields.delimited(" "));
        let spans = otlp.as_ref().map(Otlp::layer);
        tracing_subscriber::registry().with(text.with_filter(wanted)).with(spans).init();
        Ok(otlp)
    }
}

/// Returns true if a collector waits for spans.
pub(crate) fn exports_spans() -> bool {
    EXPORTS_SPANS.load(Ordering::Relaxed)
}
