//! Which device computes: a run-time value, never a global default.

use std::{fmt, str::FromStr};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// What the user asked for. `Auto` is the CPU, which the presets are made for; a GPU is faster with larger models alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    #[default]
    Auto,
    Cpu,
    Vulkan,
}

/// A device that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    #[error("unknown device `{0}`: choose auto, cpu or vulkan")]
    Unknown(String),
    #[error("this build has no `{0}` device: build it with `--features {0}`, or use --device cpu")]
    NotBuilt(&'static str),
    #[error(
        "no GPU that speaks Vulkan was found: install its driver and the Vulkan loader (libvulkan), or use --device cpu"
    )]
    NoGpu,
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "vulkan" => Ok(Self::Vulkan),
            other => Err(DeviceError::Unknown(other.to_owned())),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Vulkan => "vulkan",
        })
    }
}

impl DeviceChoice {
    /// Opens the plain device (no gradients); `.autodiff()` turns gradients on.
    ///
    /// # Errors
    ///
    /// Vulkan is asked for, and this build does not support it or there is no GPU.
    pub fn open(&self) -> Result<Device, DeviceError> {
        match self {
            Self::Auto | Self::Cpu => Ok(Device::flex()),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => match Device::enumerate(burn::tensor::DeviceType::Vulkan).is_empty() {
                true => Err(DeviceError::NoGpu),
                false => Ok(Device::vulkan(burn::tensor::DeviceKind::DefaultDevice)),
            },
            #[cfg(not(feature = "vulkan"))]
            Self::Vulkan => Err(DeviceError::NotBuilt("vulkan")),
        }
    }
}
