//! How much a server holds, and why: closed-loop users, honest latency histograms, reports.
