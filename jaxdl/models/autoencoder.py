"""Auto-encoders: a network that gives its input back through a narrow code (003:1072-1112)."""

import math
from collections.abc import Callable

import flax.linen as nn
import jax

from jaxdl.errors import require, require_number, require_widths
from jaxdl.models.activations import linear
from jaxdl.models.layers import Conv, require_images
from jaxdl.models.transposed import ConvTranspose

Activation = Callable[[jax.Array], jax.Array]


class Autoencoder(nn.Module):
    """Encoder, code, decoder: "a little the spirit of PCA" (003:1088; Hinton, Salakhutdinov, 2006).

    One family. Without hidden layers it is linear, and its best solution spans the same plane as
    PCA (Baldi, Hornik, 1989). With `features` it is convolutional, and its decoder projects the
    code, reshapes it to small images and enlarges these by transposed convolutions
    (003:1104-1112). Denoising and sparse auto-encoders are the same networks, taught otherwise:
    see `jaxdl.learners.autoencoder`.

    Layers: "encoder" ("conv1", ..., "dense1", ..., "outputs") and "decoder" ("dense1", ...,
    "project", "deconv1", ..., "outputs").

    >>> import jax.numpy as jnp
    >>> model = Autoencoder((8, 8, 1), code=2)
    >>> images, variables = model.init_with_output(jax.random.key(0), jnp.zeros((3, 8, 8, 1)))
    >>> images.shape, model.apply(variables, images, method="encode").shape
    ((3, 8, 8, 1), (3, 2))
    """

    shape: tuple[int, ...]  # of one input, (height, width, channels) for images
    code: int = 8  # units of the code
    widths: tuple[int, ...] = (128,)  # units of the encoder's hidden layers; the decoder mirrors them
    features: tuple[int, ...] = ()  # filters of its levels of convolution, each halving the image
    activation: Activation = nn.relu
    code_activation: Activation = linear

    def setup(self) -> None:
        """Two networks, so that either can be used alone."""
        require_number("code", self.code, 1, whole=True, remedy="8 is the default")
        self.encoder = Encoder(self.code, self.widths, self.features, self.activation)
        self.decoder = Decoder(self.shape, self.widths, self.features, self.activation)

    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """[batch, *shape] to its reconstruction, of the same shape.

        Raises:
          InputError: inputs of another shape, or images whose sides cannot be halved so often.
        """
        return self.decode(self.encode(x))

    def encode(self, x: jax.Array) -> jax.Array:
        """[batch, *shape] to the activations of the code, [batch, code].

        Raises:
          InputError: an input of another shape.
        """
        require(x.shape[1:] == self.shape, "input", x.shape, f"[batch, *{self.shape}]", "see `shape`")
        return self.code_activation(self.encoder(x))

    def decode(self, code: jax.Array) -> jax.Array:
        """[..., code] to [..., *shape]."""
        return self.decoder(code)


class Encoder(nn.Module):
    """Levels of convolution with stride 2, then dense layers, then linear outputs."""

    outputs: int
    widths: tuple[int, ...] = ()  # units of the dense layers
    features: tuple[int, ...] = ()  # filters of the convolutions, 4x4 pixels
    activation: Activation = nn.relu

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[batch, ...] to [batch, outputs]."""
        require_widths("widths", self.widths)
        require_widths("features", self.features)
        require_number("outputs", self.outputs, 1, whole=True, remedy="one for each number of the code")
        if self.features:
            require_images(x)
        for i, features in enumerate(self.features, start=1):
            x = self.activation(Conv(features, 4, strides=2, name=f"conv{i}")(x))
        x = x.reshape(x.shape[0], -1)
        for i, width in enumerate(self.widths, start=1):
            x = self.activation(nn.Dense(width, name=f"dense{i}")(x))
        return nn.Dense(self.outputs, name="outputs")(x)


class Decoder(nn.Module):
    """The mirror of an `Encoder`: dense layers, then "project and reshape" and transposed convolutions.

    `widths` and `features` are those of the encoder, in its order.
    """

    shape: tuple[int, ...]  # of one output
    widths: tuple[int, ...] = ()
    features: tuple[int, ...] = ()
    activation: Activation = nn.relu

    @nn.compact
    def __call__(self, code: jax.Array) -> jax.Array:
        """[..., code] to [..., *shape], linear: images where 0..1 is wanted, or logits."""
        leading = code.shape[:-1]
        x = code.reshape(-1, code.shape[-1])
        for i, width in enumerate(reversed(self.widths), start=1):
            x = self.activation(nn.Dense(width, name=f"dense{i}")(x))
        if not self.features:
            x = nn.Dense(math.prod(self.shape), name="outputs")(x)
            return x.reshape(*leading, *self.shape)
        height, width = (side // 2 ** len(self.features) for side in self._halved())
        x = self.activation(nn.Dense(height * width * self.features[-1], name="project")(x))
        x = x.reshape(-1, height, width, self.features[-1])
        for i, features in enumerate(reversed(self.features[:-1]), start=1):
            x = self.activation(ConvTranspose(features, 4, strides=2, name=f"deconv{i}")(x))
        x = ConvTranspose(self.shape[-1], 4, strides=2, name="outputs")(x)
        return x.reshape(*leading, *self.shape)

    def _halved(self) -> tuple[int, int]:
        """Height and width, which must halve as often as there are levels."""
        times = 2 ** len(self.features)
        fits = len(self.shape) == 3 and all(side % times == 0 for side in self.shape[:2])
        expected = f"(height, width, channels) with sides divisible by {times}"
        require(fits, "shape", self.shape, expected, "use fewer levels in `features`")
        return self.shape[0], self.shape[1]
