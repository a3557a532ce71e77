//! `#[test]` and `println!` for test programs that bring their own harness (`tests/common/harness.rs`).
//!
//! Rust's own `#[test]` fixes the list of tests when it compiles. Ours is known when it runs: one test per listed server.
//! With `#[macro_use] extern crate dashagg_test_attribute;` these two stand in front of the standard ones, so a test file
//! is written as anywhere else.

use proc_macro::{TokenStream, TokenTree};

/// Registers the function below it as a test of this program.
#[proc_macro_attribute]
pub fn test(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut tokens = item.clone().into_iter();
    let name = loop {
        match tokens.next() {
            Some(TokenTree::Ident(word)) if word.to_string() == "fn" => break tokens.next(),
            Some(_) => {}
            None => break None,
        }
    };
    let Some(name) = name else {
        return r#"compile_error!("a test is a function");"#.parse().unwrap_or_default();
    };
    let register = format!(
        "::inventory::submit! {{ crate::common::harness::Case {{ \
             path: concat!(module_path!(), \"::\", stringify!({name})), \
             run: crate::common::harness::Run::Once({name}), \
         }} }}"
    );
    let mut out = item;
    out.extend(register.parse::<TokenStream>());
    out
}

/// Keeps the line for the report of a test that fails, as Rust's own harness does.
#[proc_macro]
pub fn println(arguments: TokenStream) -> TokenStream {
    format!("crate::common::harness::say(&format!({arguments}))").parse().unwrap_or_default()
}
