//! Flow matching (Lipman et al., arXiv:2210.02747): a point travels from noise at `t = 0` to data at `t = 1` along
//! `dx/dt = v(x, t)`.

use burn::tensor::Tensor;
use mintage_nn::{Rng, cancel};

/// The time of the `i`-th item of a training step: logit-normal (Esser et al., arXiv:2403.03206), because the middle is the
/// hard part, and one in four uniform, so that both ends are seen too.
pub fn sample_timestep(i: usize, rng: &mut Rng) -> f32 {
    if i.is_multiple_of(4) { rng.uniform() } else { 1.0 / (1.0 + (-rng.normal()).exp()) }
}

/// One step of an integration: from a time to the next one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Time at which the step begins.
    pub from: f32,
    /// Time at which the step ends.
    pub to: f32,
    /// `to − from`, as it was chosen: rounding makes the difference another number.
    pub dt: f32,
}

/// `steps` equal steps of length `dt` from `begin`; a negative one goes back to noise.
pub fn equal_steps(begin: f32, dt: f32, steps: usize) -> Vec<Step> {
    let at = |step: usize| begin + step as f32 * dt;
    (0..steps).map(|step| Step { from: at(step), to: at(step) + dt, dt }).collect()
}

/// Steps between these times.
pub fn steps_between(times: &[f32]) -> Vec<Step> {
    times.windows(2).map(|ends| Step { from: ends[0], to: ends[1], dt: ends[1] - ends[0] }).collect()
}

/// Carries `x` by Heun's rule; the last step is Euler's, so that `v` is evaluated `2 · steps − 1` times. Where the drawing is
/// [cancelled](cancel) the way ends early.
pub fn integrate<const D: usize>(
    x: Tensor<D>,
    steps: &[Step],
    velocity: impl Fn(Tensor<D>, f32) -> Tensor<D>,
) -> Tensor<D> {
    steps.iter().enumerate().take_while(|_| !cancel::wanted()).fold(
        x,
        |x, (number, &Step { from, to, dt })| {
            let v = velocity(x.clone(), from);
            let ahead = x.clone() + v.clone() * dt;
            match number + 1 == steps.len() {
                true => ahead,
                false => x + (v + velocity(ahead, to)) * (dt / 2.0),
            }
        },
    )
}

/// Carries `x` from t = 0 to 1 by the midpoint rule in equal steps.
pub fn midpoint<const D: usize>(
    x: Tensor<D>,
    steps: usize,
    velocity: impl Fn(Tensor<D>, f32) -> Tensor<D>,
) -> Tensor<D> {
    let dt = 1.0 / steps as f32;
    (0..steps).take_while(|_| !cancel::wanted()).fold(x, |x, step| {
        let t = step as f32 * dt;
        let middle = x.clone() + velocity(x.clone(), t) * (0.5 * dt);
        x + velocity(middle, t + 0.5 * dt) * dt
    })
}

/// Classifier-free guidance of weight `guidance` (Ho & Salimans, arXiv:2207.12598): from the velocity without a class
/// through the one with it, and beyond. `velocity` is asked with the classes, or with none.
pub fn guided<const D: usize>(
    guidance: f64,
    classes: &[u32],
    none: u32,
    velocity: impl Fn(&[u32]) -> Tensor<D>,
) -> Tensor<D> {
    let v = velocity(classes);
    if guidance == 1.0 || classes.iter().all(|&class| class == none) {
        return v;
    }
    let free = velocity(&vec![none; classes.len()]);
    free.clone() + (v - free) * guidance
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    /// `dx/dt = x` from 1 gives e.
    #[test]
    fn both_rules_are_of_second_order() {
        let error = |steps: usize| {
            let x = Tensor::<1>::from_floats([1.0], &Device::flex());
            let heun = integrate(x.clone(), &equal_steps(0.0, 1.0 / steps as f32, steps), |x, _| x);
            let middle = midpoint(x, steps, |x, _| x);
            [heun, middle].map(|end| (f64::from(end.into_scalar::<f32>()) - std::f64::consts::E).abs())
        };
        let (coarse, fine) = (error(16), error(64));
        assert!(fine[0] < coarse[0] / 3.0 && fine[1] < coarse[1] / 10.0, "{coarse:?} {fine:?}");
    }

    #[test]
    fn the_way_back_leads_to_where_it_came_from() {
        let velocity = |x: Tensor<1>, t: f32| x * 0.3 + t;
        let x = Tensor::<1>::from_floats([0.5, -1.0], &Device::flex());
        let there = integrate(x.clone(), &equal_steps(0.0, 0.01, 100), velocity);
        let back = integrate(there, &equal_steps(1.0, -0.01, 100), velocity);
        assert!((back - x).abs().max().into_scalar::<f32>() < 1e-2);
    }

    #[test]
    fn guidance_asks_twice_only_where_it_matters() {
        let asked = std::cell::Cell::new(0);
        let velocity = |classes: &[u32]| {
            asked.set(asked.get() + 1);
            Tensor::<1>::from_floats([if classes[0] == 2 { 1.0 } else { 2.0 }], &Device::flex())
        };
        let value = |guidance: f64, class: u32| guided(guidance, &[class], 2, velocity).into_scalar::<f32>();
        assert_eq!((value(1.0, 0), value(3.0, 2), asked.get()), (2.0, 1.0, 2));
        assert_eq!((value(3.0, 0), asked.get()), (4.0, 4));
    }
}
