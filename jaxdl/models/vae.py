"""The variational auto-encoder's two networks (Kingma, Welling, 2014; named on 003:1181)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdl.errors import require, require_choice, require_number
from jaxdl.models.activations import tanh
from jaxdl.models.autoencoder import Activation, Decoder, Encoder

LIKELIHOODS = ("bernoulli", "gaussian")


class VAE(nn.Module):
    """An encoder q(z|x) = N(mean, variance) with a diagonal variance, and a decoder p(x|z).

    The prior is z ~ N(0, 1). A "bernoulli" decoder gives one logit per pixel, for pixels of 0
    and 1; a "gaussian" one gives a mean per pixel, and one variance that all pixels share is
    learned with it. (With a variance per pixel, a pixel that never changes would have an infinite
    likelihood.) Without hidden layers the gaussian one is probabilistic PCA, whose optimum it
    shares (Lucas et al., 2019).

    Parameters: "encoder" and "decoder" as in `Autoencoder`; "log_variance" [] if gaussian.

    >>> model = VAE((8, 8, 1), latent=2, widths=(16,))
    >>> images, variables = model.init_with_output(jax.random.key(0), jnp.zeros((3, 8, 8, 1)))
    >>> mean, log_variance = model.apply(variables, images, method="encode")
    >>> images.shape, mean.shape, log_variance.shape
    ((3, 8, 8, 1), (3, 2), (3, 2))
    """

    shape: tuple[int, ...]  # of one input, (height, width, channels) for images
    latent: int = 2  # numbers in z
    widths: tuple[int, ...] = (400,)  # units of the encoder's hidden layers; the decoder mirrors them
    features: tuple[int, ...] = ()  # filters of its levels of convolution, each halving the image
    activation: Activation = tanh
    likelihood: str = "bernoulli"  # one of LIKELIHOODS

    def setup(self) -> None:
        """Two networks, and the decoder's variance."""
        require_choice("likelihood", self.likelihood, LIKELIHOODS)
        require_number("latent", self.latent, 1, whole=True, remedy="2 can be drawn")
        self.encoder = Encoder(2 * self.latent, self.widths, self.features, self.activation)
        self.decoder = Decoder(self.shape, self.widths, self.features, self.activation)
        if self.likelihood == "gaussian":
            self.log_variance = self.param("log_variance", nn.initializers.zeros_init(), ())

    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """[batch, *shape] to the expected reconstruction from the mean of q(z|x), same shape."""
        location, log_variance = self.decode(self.encode(x)[0])
        return nn.sigmoid(location) if log_variance is None else location

    def encode(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """[batch, *shape] to the mean and the log variance of q(z|x), both [batch, latent].

        Raises:
          InputError: an input of another shape.
        """
        require(x.shape[1:] == self.shape, "input", x.shape, f"[batch, *{self.shape}]", "see `shape`")
        mean, log_variance = jnp.split(self.encoder(x), 2, axis=-1)
        return mean, log_variance

    def decode(self, z: jax.Array) -> tuple[jax.Array, jax.Array | None]:
        """z [..., latent] to p(x|z): logits [..., *shape] and None, or means and a log variance []."""
        return self.decoder(z), self.log_variance if self.likelihood == "gaussian" else None
