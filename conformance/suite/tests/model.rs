//! The suite on the reference model.

use node_storage_conformance::model::Model;

node_storage_conformance::conformance_tests!(model, Model::default());
