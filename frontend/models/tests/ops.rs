//! Every operator, imported and evaluated, gives what LiteRT's reference kernels gave.

mod vectors;

use rune_models::import;

#[test]
fn every_operator_matches_the_reference_kernels() {
    let mut failures = Vec::new();
    let mut cases = 0;
    for operator in vectors::operators() {
        for case in vectors::load(&operator) {
            cases += 1;
            let fault = match import(&case.model) {
                Err(error) => Some(error.to_string()),
                Ok(graph) => {
                    let (mut calls, mut state) = (case.calls.iter(), graph.state());
                    calls.find_map(|call| {
                        let outputs = graph.run(&call.inputs, &mut state);
                        vectors::differences(&graph, &outputs, &call.outputs)
                    })
                }
            };
            failures.extend(fault.map(|fault| format!("{operator}, {}: {fault}", case.name)));
        }
    }
    assert!(cases > 350, "only {cases} cases");
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
