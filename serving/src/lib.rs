//! A model behind HTTP: one replica as tower layers, each usable alone.
