"""Cases of distributions: samples under a seed, scores and their gradients, moments, errors."""

from minigrad.conformance.case import cases_of
from minigrad.conformance.exercises import errors, numbers, weighted

case = cases_of("distributions")


@case("Categorical")
def categorical(torch):
    Categorical = torch.distributions.Categorical
    logits = numbers(torch, 2, 3, dtype=torch.float64).requires_grad_()
    values = torch.tensor([2, 0])
    by_logits, by_probs = Categorical(logits=logits), Categorical(torch.tensor([1.0, 2.0, 1.0]))
    score, entropy = by_logits.log_prob(values), by_logits.entropy()
    weighted(torch, [score, entropy]).backward()
    torch.manual_seed(0)
    return {
        "samples": [by_logits.sample(), by_logits.sample((4,)), by_probs.sample(), by_probs.sample((2, 3))],
        "scores": [score, entropy, logits.grad, by_probs.log_prob(torch.tensor([[0], [2]])), by_probs.entropy()],
        "told": [by_probs.probs, by_probs.logits, by_logits.probs, by_logits.mode, by_probs.mean, by_probs.variance],
        "shapes": [by_logits.batch_shape, by_logits.event_shape, by_logits.param_shape, by_probs.enumerate_support()],
        "text": [repr(by_probs), by_probs.has_rsample, by_logits.expand((2, 2)).batch_shape],
        "errors": errors(
            lambda: Categorical(),
            lambda: Categorical(probs=torch.ones(2), logits=torch.ones(2)),
            lambda: Categorical(torch.tensor(1.0)),
            lambda: Categorical(torch.tensor([-1.0, 2.0])),
            lambda: by_probs.log_prob(torch.tensor(3)),
            lambda: by_probs.log_prob(torch.tensor(0.5)),
            lambda: by_probs.rsample(),
            lambda: by_probs.cdf(torch.tensor(1)),
        ),
    }


@case("Uniform")
def uniform(torch):
    Uniform = torch.distributions.Uniform
    low, high = torch.tensor([0.0, -1.0], requires_grad=True), torch.tensor([2.0, 1.0], requires_grad=True)
    plain, wide = Uniform(low, high), Uniform(0.0, 4.0)
    torch.manual_seed(0)
    drawn = plain.rsample((3,))
    weighted(torch, [drawn, plain.log_prob(torch.tensor([0.5, 0.5]))]).backward()
    return {
        "samples": [drawn, low.grad, high.grad, plain.sample(), wide.sample((2,)), wide.sample()],
        "scores": [wide.log_prob(torch.tensor([0.0, 3.9])), wide.cdf(torch.tensor(1.0)), wide.icdf(torch.tensor(0.25))],
        "told": [plain.mean, plain.stddev, plain.variance, plain.entropy(), wide.batch_shape, plain.event_shape],
        "text": [repr(wide), repr(plain), wide.has_rsample, plain.expand((3, 2)).mean.shape],
        "unchecked": Uniform(0.0, 1.0, validate_args=False).log_prob(torch.tensor([-1.0, 0.5, 1.0])),
        "errors": errors(
            lambda: Uniform(1.0, 0.0),
            lambda: wide.log_prob(torch.tensor(5.0)),
            lambda: Uniform(torch.zeros(2), torch.ones(3)),
            lambda: Uniform(0.0),
            lambda: Uniform("a", 1.0),
        ),
    }


@case("multinomial.Multinomial")
def multinomial(torch):
    Multinomial = torch.distributions.multinomial.Multinomial
    logits = numbers(torch, 3, dtype=torch.float64).requires_grad_()
    counts = torch.tensor([1.0, 0.0, 3.0], dtype=torch.float64)
    plain, scored = Multinomial(10, torch.tensor([0.2, 0.3, 0.5])), Multinomial(4, logits=logits)
    score = scored.log_prob(counts)
    score.backward()
    torch.manual_seed(0)
    return {
        "samples": [plain.sample(), plain.sample((3,)), Multinomial(5, torch.ones(2, 4)).sample()],
        "scores": [score, logits.grad, plain.log_prob(torch.tensor([2.0, 3.0, 5.0]))],
        "told": [plain.mean, plain.variance, plain.probs, plain.logits, plain.total_count, plain.param_shape],
        "shapes": [plain.batch_shape, plain.event_shape, repr(plain)],
        "errors": errors(
            lambda: Multinomial(2.5, torch.ones(2)),
            lambda: Multinomial(2),
            lambda: Multinomial(2, torch.tensor([-1.0, 2.0])),
            lambda: plain.log_prob(torch.tensor([1.0, 1.0, 1.0])),
            lambda: plain.rsample(),
        ),
    }
