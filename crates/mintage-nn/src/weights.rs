//! Named tensors in safetensors files: the only form in which weights and optimiser states are kept.
//!
//! A name is the module path (`decoder.blocks.0.conv1.weight`), so that a file can be read without
//! this program. Loading checks every name and shape and changes nothing when one does not fit.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    tensor::{Tensor, TensorData},
};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::Value;

pub use crate::kernels::{into_vec, to_vec};

/// Bytes of a header, at most.
const MAX_HEADER: u64 = 100 << 20;

/// Why weights could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    #[error("{path}: {source}")]
    Io { path: String, source: std::io::Error },
    #[error("{path}: not a usable safetensors file ({why})")]
    Format { path: String, why: String },
    #[error("weight `{0}` is missing from the file")]
    Missing(String),
    #[error("weight `{name}` has shape {found:?} in the file, the model needs {wanted:?}")]
    Shape { name: String, found: Vec<usize>, wanted: Vec<usize> },
}

/// One tensor on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// Tensors by name, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TensorMap {
    pub tensors: BTreeMap<String, HostTensor>,
}

impl TensorMap {
    /// Adds one tensor under `name`.
    pub fn insert(&mut self, name: impl Into<String>, shape: &[usize], values: Vec<f32>) {
        self.tensors.insert(name.into(), HostTensor { shape: shape.to_vec(), values });
    }

    /// Adds a tensor of any device under `name`.
    pub fn insert_tensor<const D: usize>(&mut self, name: impl Into<String>, tensor: &Tensor<D>) {
        self.insert(name, &tensor.dims(), to_vec(tensor));
    }

    /// Adds every parameter of `module`, names prefixed by `prefix` and a dot.
    pub fn insert_module<M: Module>(&mut self, prefix: &str, module: &M) {
        module.visit(&mut Collect { path: vec![prefix.to_owned()], map: self });
    }

    /// The tensor `name`.
    ///
    /// # Errors
    ///
    /// There is no tensor of this name.
    pub fn get(&self, name: &str) -> Result<&HostTensor, WeightsError> {
        self.tensors.get(name).ok_or_else(|| WeightsError::Missing(name.to_owned()))
    }

    /// The tensor `name`, which must have the shape `wanted`.
    ///
    /// # Errors
    ///
    /// There is no tensor of this name, or it has another shape.
    pub fn of_shape(&self, name: &str, wanted: &[usize]) -> Result<&HostTensor, WeightsError> {
        match self.get(name)? {
            tensor if tensor.shape == wanted => Ok(tensor),
            tensor => Err(WeightsError::Shape {
                name: name.to_owned(),
                found: tensor.shape.clone(),
                wanted: wanted.to_vec(),
            }),
        }
    }

    /// `module` with every parameter replaced by the one stored under `prefix`.
    ///
    /// # Errors
    ///
    /// A parameter is missing or of another shape.
    pub fn load_module<M: Module>(&self, prefix: &str, module: M) -> Result<M, WeightsError> {
        let mut check = Check { path: vec![prefix.to_owned()], map: self, error: None };
        module.visit(&mut check);
        match check.error {
            Some(error) => Err(error),
            None => Ok(module.map(&mut Load { path: vec![prefix.to_owned()], map: self })),
        }
    }

    /// Whether `other` has the same names and shapes.
    pub fn is_like(&self, other: &Self) -> bool {
        let shapes = |map: &'_ Self| {
            map.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shape.clone())).collect::<Vec<_>>()
        };
        shapes(self) == shapes(other)
    }

    /// The name of a tensor with a number that is not finite, where there is one.
    pub fn not_finite(&self) -> Option<&str> {
        let bad = |tensor: &HostTensor| tensor.values.iter().any(|value| !value.is_finite());
        self.tensors.iter().find(|(_, tensor)| bad(tensor)).map(|(name, _)| name.as_str())
    }

    /// Serialises the tensors in the safetensors format; `metadata` goes into the header.
    ///
    /// # Errors
    ///
    /// A tensor has more or fewer values than its shape.
    pub fn to_bytes(&self, metadata: BTreeMap<String, String>) -> Result<Vec<u8>, WeightsError> {
        let format = |e: safetensors::SafeTensorError| WeightsError::Format {
            path: "(memory)".to_owned(),
            why: e.to_string(),
        };
        let bytes: Vec<(String, Vec<u8>, Vec<usize>)> = self
            .tensors
            .iter()
            .map(|(name, t)| {
                let raw = t.values.iter().flat_map(|v| v.to_le_bytes()).collect();
                (name.clone(), raw, t.shape.clone())
            })
            .collect();
        let views = bytes
            .iter()
            .map(|(name, raw, shape)| {
                Ok((name.clone(), TensorView::new(Dtype::F32, shape.clone(), raw).map_err(format)?))
            })
            .collect::<Result<Vec<_>, WeightsError>>()?;
        let metadata = (!metadata.is_empty()).then(|| metadata.into_iter().collect());
        safetensors::serialize(views, metadata).map_err(format)
    }

    /// Reads a safetensors file of f32 tensors.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is not a safetensors file or is cut off, or holds a tensor that is not f32.
    pub fn load(path: &Path) -> Result<Self, WeightsError> {
        let io = |source| WeightsError::Io { path: path.display().to_string(), source };
        let format = |why: String| WeightsError::Format { path: path.display().to_string(), why };
        let mut file = File::open(path).map_err(io)?;
        let (is, told) = (file.metadata().map_err(io)?.len(), told_length(&mut file).map_err(io)?);
        // Before all of it is read: a hole of a terabyte takes no place on the disk of whoever sends it.
        if let Some(told) = told.filter(|told| *told != is) {
            return Err(format(format!("it has {is} bytes, and its header tells of {told}")));
        }
        let bytes = fs::read(path).map_err(io)?;
        let file = SafeTensors::deserialize(&bytes).map_err(|e| format(e.to_string()))?;
        let mut map = Self::default();
        for (name, view) in file.tensors() {
            if view.dtype() != Dtype::F32 {
                return Err(format(format!("`{name}` is {:?}, only F32 is used here", view.dtype())));
            }
            let values =
                view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            map.insert(name, view.shape(), values);
        }
        Ok(map)
    }
}

/// How long a file is by its header, where that can be read: eight bytes with the length of the header, the header, and the
/// tensors up to the last end that it names.
fn told_length(file: &mut File) -> io::Result<Option<u64>> {
    let mut length = [0; 8];
    if !fill(file, &mut length)? {
        return Ok(None);
    }
    let header = u64::from_le_bytes(length);
    if header > MAX_HEADER {
        return Ok(Some(header.saturating_add(8)));
    }
    let mut text = vec![0; header as usize];
    if !fill(file, &mut text)? {
        return Ok(None);
    }
    // A header that names no tensors tells of no data: then nothing but it is read.
    let Ok(Value::Object(tensors)) = serde_json::from_slice::<Value>(&text) else {
        return Ok(Some(8 + header));
    };
    let end = |tensor: &Value| tensor.get("data_offsets")?.get(1)?.as_u64();
    let data = tensors.values().filter_map(end).max().unwrap_or(0);
    Ok(Some(data.saturating_add(8 + header)))
}

/// Reads as many bytes as there is room for; whether there were so many.
fn fill(file: &mut File, room: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(room) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        other => other.map(|()| true),
    }
}

struct Collect<'a> {
    path: Vec<String>,
    map: &'a mut TensorMap,
}

impl ModuleVisitor for Collect<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.map.insert_tensor(self.path.join("."), &param.val());
    }
}

struct Check<'a> {
    path: Vec<String>,
    map: &'a TensorMap,
    error: Option<WeightsError>,
}

impl ModuleVisitor for Check<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = self.path.join(".");
        // Shapes alone: a parameter that is to be loaded need not have numbers yet.
        let wanted = param.lazy_shape().to_vec();
        let found = match self.map.get(&name) {
            Ok(tensor) if tensor.shape == wanted => return,
            Ok(tensor) => tensor.shape.clone(),
            Err(error) => {
                self.error.get_or_insert(error);
                return;
            }
        };
        self.error.get_or_insert(WeightsError::Shape { name, found, wanted });
    }
}

struct Load<'a> {
    path: Vec<String>,
    map: &'a TensorMap,
}

impl ModuleMapper for Load<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(host) = self.map.tensors.get(&self.path.join(".")) else { return param };
        let data = TensorData::new(host.values.clone(), host.shape.clone());
        if !param.is_initialized() {
            let device = param.lazy_device();
            let new = Tensor::from_data(data, &device);
            let new = if device.is_autodiff() { new.require_grad() } else { new };
            return Param::initialized(param.id, new);
        }
        param.map(|old| {
            let new = Tensor::from_data(data, &old.device());
            if old.is_require_grad() { new.require_grad() } else { new }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_file_is_as_long_as_its_header_says() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.safetensors");
        let mut map = TensorMap::default();
        map.insert("a", &[2], vec![1.0, 2.0]);
        fs::write(&path, map.to_bytes(BTreeMap::new()).unwrap()).unwrap();
        assert_eq!(TensorMap::load(&path).unwrap(), map);
        let whole = fs::metadata(&path).unwrap().len();
        // A hole, of which nothing is read.
        File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
        let error = TensorMap::load(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("its header tells of {whole}")), "{error}");
        for length in [0, 4, 9, whole - 1] {
            File::options().write(true).open(&path).unwrap().set_len(length).unwrap();
            assert!(TensorMap::load(&path).is_err(), "{length}");
        }
        fs::write(&path, u64::MAX.to_le_bytes()).unwrap();
        assert!(TensorMap::load(&path).is_err());
    }
}
