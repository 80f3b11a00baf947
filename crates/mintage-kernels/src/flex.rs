//! The bridge between tensors and the CPU kernels: who may run them, and how they join the graph.
//!
//! A kernel implements [`Fused`] on raw `flex` tensors. [`run`] executes it on plain tensors or records
//! it, with its backward, under autodiff. Tensors of another device or element type never get here:
//! callers ask [`supported`] first and take the composite path otherwise.

use std::fmt::Debug;

use burn::backend::{
    Autodiff, BackendTensor, DType, DispatchAutodiffContext, DispatchTensor, DispatchTensorKind, Flex,
    TensorMetadata,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::NoCheckpointing},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    flex::{FlexTensor, Layout},
    tensor::FloatTensor,
};
use burn::tensor::{Bytes, Shape, Tensor};

type Tracked = FloatTensor<Autodiff<Flex>>;

/// An operation of `N` float inputs and one float output with its own backward.
pub(super) trait Fused<const N: usize>: Clone + Send + Debug + 'static {
    /// What backward needs besides the gradient.
    type Saved: Clone + Send + Debug + 'static;

    fn forward(&self, inputs: [FlexTensor; N]) -> (FlexTensor, Self::Saved);

    /// Gradients of the inputs, computed where `wanted`.
    fn backward(self, saved: Self::Saved, grad: FlexTensor, wanted: [bool; N]) -> [Option<FlexTensor>; N];
}

/// Whether the kernels can take this tensor: `flex`, 32-bit floats, not empty.
pub(super) fn supported<const D: usize>(tensor: &Tensor<D>) -> bool {
    fn flex(kind: &DispatchTensorKind) -> bool {
        #[allow(unreachable_patterns)] // With `flex` alone compiled in there is nothing else.
        match kind {
            DispatchTensorKind::Flex(BackendTensor::Float(t)) => t.dtype() == DType::F32,
            DispatchTensorKind::Flex(BackendTensor::Autodiff(t)) => t.dtype() == DType::F32,
            DispatchTensorKind::Autodiff(inner) => flex(inner),
            _ => false,
        }
    }
    // A clone counts a reference, nothing is copied.
    tensor.shape().num_elements() > 0 && flex(&tensor.clone().into_dispatch().kind)
}

/// Runs `op` on tensors that are all [`supported`].
pub(super) fn run<F: Fused<N>, const N: usize, const D: usize>(
    op: F,
    inputs: [DispatchTensor; N],
) -> Tensor<D> {
    let context = inputs.iter().fold(DispatchAutodiffContext::Disabled, |c, t| c.merge(t.autodiff));
    let kind = if context == DispatchAutodiffContext::Disabled {
        let (output, _) = op.forward(inputs.map(|t| plain(t.kind)));
        DispatchTensorKind::Flex(BackendTensor::Float(output))
    } else {
        let output = record(op, inputs.map(|t| tracked(t.kind)));
        DispatchTensorKind::Autodiff(Box::new(DispatchTensorKind::Flex(BackendTensor::Autodiff(output))))
    };
    Tensor::from_dispatch(DispatchTensor { kind, autodiff: context })
}

/// The raw tensor without its place in the graph.
fn plain(kind: DispatchTensorKind) -> FlexTensor {
    match tracked_or_plain(kind) {
        Ok(tensor) => tensor.into_primitive(),
        Err(tensor) => tensor,
    }
}

/// The tensor with its place in the graph; a tensor without one is a constant there.
fn tracked(kind: DispatchTensorKind) -> Tracked {
    tracked_or_plain(kind).unwrap_or_else(Tracked::new)
}

fn tracked_or_plain(kind: DispatchTensorKind) -> Result<Tracked, FlexTensor> {
    #[allow(unreachable_patterns)] // As in `supported`.
    match kind {
        DispatchTensorKind::Autodiff(inner) => tracked_or_plain(*inner),
        DispatchTensorKind::Flex(BackendTensor::Autodiff(tensor)) => Ok(tensor),
        DispatchTensorKind::Flex(BackendTensor::Float(tensor)) => Err(tensor),
        _ => unreachable!("callers ask `supported` first"),
    }
}

#[derive(Debug)]
struct Step<F>(F);

impl<F: Fused<N>, const N: usize> Backward<Flex, N> for Step<F> {
    type State = F::Saved;

    fn backward(self, ops: Ops<F::Saved, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let found = self.0.backward(ops.state, grad, wanted);
        for (parent, grad) in ops.parents.into_iter().zip(found) {
            if let (Some(parent), Some(grad)) = (parent, grad) {
                grads.register::<Flex>(parent.id, grad);
            }
        }
    }
}

fn record<F: Fused<N>, const N: usize>(op: F, inputs: [Tracked; N]) -> Tracked {
    let nodes = inputs.each_ref().map(|t| t.node());
    let inputs = inputs.map(|t| t.into_primitive());
    match Step(op.clone()).prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prep) => {
            let (output, saved) = op.forward(inputs);
            prep.finish(saved, output)
        }
        OpsKind::UnTracked(prep) => prep.finish(op.forward(inputs).0),
    }
}

/// The raw `flex` tensor of a tensor that is [`supported`] (its graph, if any, is left behind).
pub(super) fn raw<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    plain(tensor.into_dispatch().kind)
}

/// Wraps a raw tensor that has no graph.
pub(super) fn wrap<const D: usize>(tensor: FlexTensor) -> Tensor<D> {
    let kind = DispatchTensorKind::Flex(BackendTensor::Float(tensor));
    Tensor::from_dispatch(DispatchTensor { kind, autodiff: DispatchAutodiffContext::Disabled })
}

/// The values in row-major order; `tensor` must have come through [`contiguous`].
pub(super) fn values(tensor: &FlexTensor) -> &[f32] {
    let (start, len) = (tensor.layout().start_offset(), tensor.layout().num_elements());
    &tensor.storage::<f32>()[start..start + len]
}

/// The same tensor in row-major order; copies only if it is not.
pub(super) fn contiguous(tensor: FlexTensor) -> FlexTensor {
    if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() }
}

pub(super) fn dims<const D: usize>(tensor: &FlexTensor) -> [usize; D] {
    let shape = tensor.layout().shape();
    std::array::from_fn(|i| shape[i])
}

pub(super) fn from_vec(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(shape.into()), DType::F32)
}
