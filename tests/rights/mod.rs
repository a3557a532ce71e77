//! With which rights what works: those of the docs are enough, each of them is needed, and what a server refuses is said.

mod needed;
mod nights;
mod replicas;
mod shop;
