//! Flow matching (Lipman et al., arXiv:2210.02747): a point travels from noise at `t = 0` to data at `t = 1` along
//! `dx/dt = v(x, t)`.

use burn::tensor::{Tensor, TensorData};
use mintage_nn::{Rng, cancel, weights::to_vec};

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

/// Carries `x` by the two-step rule of Adams and Bashforth, which evaluates `v` once a step; the first step is Euler's. Where
/// the drawing is [cancelled](cancel) the way ends early.
pub fn multistep<const D: usize>(
    x: Tensor<D>,
    steps: &[Step],
    velocity: impl Fn(Tensor<D>, f32) -> Tensor<D>,
) -> Tensor<D> {
    let (mut x, mut before): (_, Option<(Tensor<D>, f32)>) = (x, None);
    for &Step { from, dt, .. } in steps {
        if cancel::wanted() {
            break;
        }
        let v = velocity(x.clone(), from);
        // The line through both velocities, at the middle of the step.
        let middle = match before {
            Some((earlier, earlier_dt)) => v.clone() + (v.clone() - earlier) * (0.5 * dt / earlier_dt),
            None => v.clone(),
        };
        x = x + middle * dt;
        before = Some((v, dt));
    }
    x
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

/// `−log p(x_1)` of the items of `x_1 [n, …]` in nats: that of the noise which they come from, and how much the way from
/// there spreads its surroundings (Grathwohl et al., arXiv:1810.01367, eq. 4),
///
/// `−log p(x_1) = −log N(x_0; 0, I) + ∫ ∇·v(x_t, t) dt`,   `∇·v ≈ ε·∇(ε·v)`
///
/// with random signs `ε`, the same all along the way of an item: an estimate, right on average for the way that is gone, by
/// the midpoint rule. `x_1` has no gradients; `velocity` is given tensors with gradients and is to lead them back.
pub fn negative_log_density<const D: usize>(
    x_1: Tensor<D>,
    steps: usize,
    velocity: impl Fn(Tensor<D>, f32) -> Tensor<D>,
    rng: &mut Rng,
) -> Vec<f64> {
    let (dims, device, steps) = (x_1.dims(), x_1.device(), steps.max(1));
    let (n, size) = (dims[0], dims.iter().product::<usize>());
    let each = (size / n.max(1)).max(1);
    let signs: Vec<f32> = rng.uniforms(size).into_iter().map(|u| if u < 0.5 { -1.0 } else { 1.0 }).collect();
    let signs: Tensor<D> = Tensor::from_data(TensorData::new(signs, dims), &device);
    // Short steps near the data, where the way bends most. Squares of shares are too long there: a dozen steps made a pixel
    // that is known to a level .3 bits likelier than it is.
    let times: Vec<f32> = (0..=steps).map(|step| 1.0 - (step as f32 / steps as f32).powi(3)).collect();
    let (mut x, mut spread) = (x_1, vec![0.0f64; n]);
    for Step { from, dt, .. } in steps_between(&times) {
        let v = velocity(Tensor::from_inner(x.clone()), from).inner();
        let middle = Tensor::from_inner(x.clone() + v * (0.5 * dt)).require_grad();
        let v = velocity(middle.clone(), from + 0.5 * dt);
        let grads = (v.clone() * Tensor::from_inner(signs.clone())).sum().backward();
        if let Some(slopes) = middle.grad(&grads) {
            let slopes = to_vec(&(slopes * signs.clone()));
            for (spread, slopes) in spread.iter_mut().zip(slopes.chunks(each)) {
                // Steps lead back: their `dt` is negative.
                *spread -= f64::from(dt) * slopes.iter().map(|&slope| f64::from(slope)).sum::<f64>();
            }
        }
        x = x + v.inner() * dt;
    }
    let of_item = |(x_0, spread): (&[f32], f64)| {
        let squares = x_0.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>();
        0.5 * (squares + each as f64 * std::f64::consts::TAU.ln()) + spread
    };
    to_vec(&x).chunks(each).zip(spread).map(of_item).collect()
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
    fn all_rules_are_of_second_order() {
        let error = |steps: usize| {
            let x = Tensor::<1>::from_floats([1.0], &Device::flex());
            let equal = equal_steps(0.0, 1.0 / steps as f32, steps);
            let heun = integrate(x.clone(), &equal, |x, _| x);
            let times: Vec<f32> = (0..=steps).map(|i| (i as f32 / steps as f32).powf(1.5)).collect();
            let two_steps =
                [equal, steps_between(&times)].map(|steps| multistep(x.clone(), &steps, |x, _| x));
            let middle = midpoint(x, steps, |x, _| x);
            let [even, uneven] = two_steps;
            [heun, middle, even, uneven]
                .map(|end| (f64::from(end.into_scalar::<f32>()) - std::f64::consts::E).abs())
        };
        let (coarse, fine) = (error(16), error(64));
        // A fourfold number of steps: a sixteenth of the error, less where the last or first step is of the first order.
        assert!((0..4).all(|rule| fine[rule] < coarse[rule] / 3.0), "{coarse:?} {fine:?}");
        assert!(fine[1] < coarse[1] / 10.0, "{coarse:?} {fine:?}");
    }

    #[test]
    fn the_way_back_leads_to_where_it_came_from() {
        let velocity = |x: Tensor<1>, t: f32| x * 0.3 + t;
        let x = Tensor::<1>::from_floats([0.5, -1.0], &Device::flex());
        let there = integrate(x.clone(), &equal_steps(0.0, 0.01, 100), velocity);
        let back = integrate(there, &equal_steps(1.0, -0.01, 100), velocity);
        assert!((back - x).abs().max().into_scalar::<f32>() < 1e-2);
    }

    /// Of data from N(0, s²) the velocity is known, and so is the density at its end.
    #[test]
    fn density_is_that_of_the_data() {
        let variance = 0.25f32;
        let velocity = |x: Tensor<2>, t: f32| {
            x * ((t * variance - (1.0 - t)) / (t * t * variance + (1.0 - t) * (1.0 - t)))
        };
        let x_1 = Tensor::<2>::from_floats([[0.3, -0.7], [0.0, 1.1]], &Device::flex());
        let found = negative_log_density(x_1.clone(), 24, velocity, &mut Rng::new(1, 0));
        for (x, found) in to_vec(&x_1).chunks(2).zip(found) {
            let squares = f64::from(x[0] * x[0] + x[1] * x[1]) / f64::from(variance);
            let wanted = 0.5 * squares + (std::f64::consts::TAU * f64::from(variance)).ln();
            assert!((found - wanted).abs() < 0.03, "{found} {wanted}");
        }
    }

    /// A pixel spread evenly over one level of a byte has a standard deviation of 1/441.
    #[test]
    fn density_of_what_is_known_to_a_level_is_not_overrated() {
        let deviation = 1.0 / 441.0f32;
        let variance = deviation * deviation;
        let velocity = |x: Tensor<2>, t: f32| {
            x * ((t * variance - (1.0 - t)) / (t * t * variance + (1.0 - t) * (1.0 - t)))
        };
        let x_1 = Tensor::<2>::from_floats([[deviation], [-deviation]], &Device::flex());
        for found in negative_log_density(x_1, 12, velocity, &mut Rng::new(1, 0)) {
            let wanted = 0.5 * (1.0 + (std::f64::consts::TAU * f64::from(variance)).ln());
            assert!((found - wanted).abs() < 0.1, "{found} {wanted}");
        }
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
