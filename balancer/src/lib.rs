//! Many replicas look like one: tower services behind a round robin, and an HTTP/1.1 proxy around it.
