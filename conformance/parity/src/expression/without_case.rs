//! Comparisons without case, as SQLite's NOCASE makes them.

use super::form::Form;

/// What `x COLLATE NOCASE` is until it is known what it is compared with.
pub(super) const NO_CASE: &str = "collate nocase";

fn is_without_case(form: &Form) -> bool {
    matches!(form, Form::Call(name, _) if name == NO_CASE)
}

/// Two sides of a comparison: where one of them has COLLATE NOCASE, both are compared in lower case.
pub(super) fn folded(a: Form, b: Form) -> (Form, Form) {
    if !is_without_case(&a) && !is_without_case(&b) {
        return (a, b);
    }
    let fold = |form: Form| match form {
        Form::Text(text) => Form::Text(text.to_lowercase()),
        Form::Number(_) | Form::Null | Form::Bool(_) => form,
        form if is_without_case(&form) => in_lower_case(form),
        form => Form::call("lower", [form]),
    };
    (fold(a), fold(b))
}

/// With `lower(x)` for each `x COLLATE NOCASE`, which serve the same queries.
pub(super) fn in_lower_case(form: Form) -> Form {
    match form {
        Form::Call(name, operands) => {
            let name = if name == NO_CASE { "lower".to_owned() } else { name };
            Form::Call(name, operands.into_iter().map(in_lower_case).collect())
        }
        form => form,
    }
}
