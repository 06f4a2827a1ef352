"""What a cheap webcam makes of the light: lens, exposure, colours, tone curve, sharpening, noise, JPEG."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ingest.simulate.look import Look, Sensor
from ingest.simulate.moment import View
from ingest.simulate.render.blurring import softened

Floats: TypeAlias = npt.NDArray[np.float32]
Picture: TypeAlias = npt.NDArray[np.uint8]  # [height, width, 3], BGR

USUAL_WIDTH = 320  # that blurs are given for
WANTED_MEAN = 0.20  # linear light that an auto exposure aims at
MOST_GAIN, LEAST_GAIN = 6.0, 0.25
LUMA = np.array([0.114, 0.587, 0.299], np.float32)  # of blue, green, red (ITU-R BT.601)
TONES = 65_536  # steps of the tone curve: as many as OpenCV looks up at once
HIGHEST = 3.0  # linear light at which the curve has long been white
SHOULDER = 0.75  # display level above which highlights are squeezed
GLARE = 0.07  # light that strays in the lens, of the picture's own
GLARE_SHRINK = 8
NOISE_PICTURES = 6  # drawn once, then shifted at random: fast, and never the same twice
FOCUS_PX = 5.0  # blur of a lens wholly out of focus, standard deviation
COVERED_LIGHT = 0.006  # of a dim scene: what a cap lets through
HALO_PX = 0.9  # radius of the sharpening


class WebCamera:
    """One look's sensor. ``seed`` draws its noise and the dirt on its lens."""

    def __init__(self, look: Look) -> None:
        self._sensor, self._seed = look.sensor, look.seed
        width, height = look.sensor.width, look.sensor.height
        self._scale = width / USUAL_WIDTH
        rng = np.random.default_rng([look.seed, 74])
        self._noise = [_noise(rng, look.sensor) for _ in range(NOISE_PICTURES)]
        self._falloff = _falloff(look.sensor)
        self._dirt = _dirt(rng, width, height)
        self._tones = _tone_curve(look.sensor)
        # Kept, since making large arrays anew takes longer than filling them.
        self._spare: Floats = np.empty((height, width, 3), np.float32)
        self._steps = np.empty((height, width, 3), np.uint16)

    @property
    def lens_blur_px(self) -> float:
        """Standard deviation of the lens's blur in pixels of the picture."""
        return self._sensor.blur_px * self._scale

    def picture(self, light: Floats, view: View, infrared: bool, instant: int) -> Picture:
        """Linear light [h, w, 3] -> picture; ``instant`` (not negative) chooses the noise.

        ``light`` is worked on in its place: it is something else afterwards.
        """
        rng = np.random.default_rng([self._seed, 75, instant])
        if view.covered:
            light = self._covered(light)
        light = self._through_the_lens(light, view)
        gain = self._gain(light) if not view.covered else self._sensor.exposure
        levels = self._developed(light, gain, infrared)
        noise_gain = min(max(gain / max(self._sensor.exposure, 0.05), 0.7), 2.5) ** 0.5
        noise_gain *= 1.6 if infrared else 1.0
        return self._noisy(self._sharpened(levels), noise_gain, infrared, rng)

    def jpeg(self, picture: Picture) -> bytes:
        """The picture as JPEG bytes."""
        options = [cv2.IMWRITE_JPEG_QUALITY, self._sensor.jpeg_quality]
        return cv2.imencode(".jpg", picture, options)[1].tobytes()

    def _covered(self, light: Floats) -> Floats:
        """A cap or a fallen camera: next to nothing, with some glow of the scene's colour at one edge."""
        glow = np.linspace(1.6, 0.4, light.shape[1], dtype=np.float32)[None, :, None]
        colour = np.clip(light.mean(axis=(0, 1)), 0.05, 1.0)
        return np.ascontiguousarray(np.broadcast_to(glow * colour * COVERED_LIGHT, light.shape), np.float32)

    def _through_the_lens(self, light: Floats, view: View) -> Floats:
        if view.blur > 0:
            sigma = max(view.blur * FOCUS_PX * self._scale, 0.3)
            light = np.asarray(cv2.GaussianBlur(light, (0, 0), sigma), np.float32)
        height, width = light.shape[:2]
        small = cv2.resize(
            light, (width // GLARE_SHRINK, height // GLARE_SHRINK), interpolation=cv2.INTER_AREA
        )
        small = cv2.GaussianBlur(small, (0, 0), 2.5)
        glare = self._spare
        cv2.resize(small, (width, height), glare, interpolation=cv2.INTER_LINEAR)
        if view.dirt > 0:
            haze = (view.dirt * self._dirt)[..., None]
            dirty: Floats = light * (1 - haze) + haze * (0.85 * glare + 0.1 * glare.mean())
            return dirty
        return np.asarray(cv2.addWeighted(light, 1 - GLARE, glare, GLARE, 0.0, light), np.float32)

    def _gain(self, light: Floats) -> float:
        """Exposure: fixed, or partly towards a picture of the usual brightness."""
        bright = np.minimum(light[::4, ::4] @ LUMA, 1.2)
        wanted = WANTED_MEAN / max(float(bright.mean()), 1e-4)
        return float(
            np.clip(self._sensor.exposure * wanted**self._sensor.auto_exposure, LEAST_GAIN, MOST_GAIN)
        )

    def _developed(self, light: Floats, gain: float, infrared: bool) -> Floats:
        """Linear light -> display levels 0..255, float32, in its place."""
        mix = self._colours(infrared) * np.float32(gain * (TONES - 1) / HIGHEST)
        cv2.transform(light, mix, self._spare)
        cv2.multiply(self._spare, self._falloff, self._steps, 1.0, cv2.CV_16U)
        return np.asarray(cv2.LUT(self._steps, self._tones, light), np.float32)

    def _colours(self, infrared: bool) -> Floats:
        """[3, 3]: white balance and saturation; grey in infrared."""
        balance = np.diag(np.ones(3) if infrared else np.array(self._sensor.white_balance))
        saturation = 0.0 if infrared else self._sensor.saturation
        mix = saturation * np.eye(3) + (1 - saturation) * np.tile(LUMA, (3, 1))
        return np.asarray(mix @ balance, np.float32)

    def _sharpened(self, levels: Floats) -> Floats:
        if self._sensor.sharpen <= 0:
            return levels
        soft, more = softened(levels, HALO_PX * self._scale, self._spare), self._sensor.sharpen
        return np.asarray(cv2.addWeighted(levels, 1 + more, soft, -more, 0.0, levels), np.float32)

    def _noisy(self, levels: Floats, strength: float, infrared: bool, rng: np.random.Generator) -> Picture:
        bank = self._noise[int(rng.integers(NOISE_PICTURES))]
        rows, columns = (int(rng.integers(size)) for size in levels.shape[:2])
        height, width = levels.shape[:2]
        noise = bank[rows : rows + height, columns : columns + width]
        if infrared:
            noise = np.repeat(noise[..., 1:2], 3, axis=2)
        return np.asarray(cv2.addWeighted(levels, 1.0, noise, strength, 0.0, None, cv2.CV_8U), np.uint8)


def _noise(rng: np.random.Generator, sensor: Sensor) -> Floats:
    """Noise of brightness, a little alike in neighbours, and coarser noise of colour; repeated 2 x 2."""
    width, height = sensor.width, sensor.height
    luma = _alike(rng.normal(0.0, 1.0, (height, width)).astype(np.float32), 0.45) * sensor.noise
    half = (height // 2 + 1, width // 2 + 1, 3)
    chroma = _alike(rng.normal(0.0, 1.0, half).astype(np.float32), 0.8) * sensor.colour_noise
    chroma -= (chroma @ LUMA)[..., None]
    large = np.asarray(cv2.resize(chroma, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    tiled: Floats = np.tile(luma[..., None] + large, (2, 2, 1))
    return tiled


def _alike(noise: Floats, sigma: float) -> Floats:
    smooth = np.asarray(cv2.GaussianBlur(noise, (0, 0), sigma), np.float32)
    alike: Floats = smooth / max(float(smooth.std()), 1e-6)
    return alike


def _falloff(sensor: Sensor) -> Floats:
    """[h, w, 3]: how much light the lens lets through."""
    across = np.linspace(-1, 1, sensor.width, dtype=np.float32)[None]
    down = np.linspace(-1, 1, sensor.height, dtype=np.float32)[:, None] * (sensor.height / sensor.width)
    square = (across**2 + down**2) / (1 + (sensor.height / sensor.width) ** 2)
    through = 1.0 - sensor.vignette * square**1.3
    return np.ascontiguousarray(np.repeat(through[..., None], 3, axis=2), np.float32)


def _dirt(rng: np.random.Generator, width: int, height: int) -> Floats:
    """[h, w] 0..1: grease in smears and spots."""
    coarse = rng.normal(0.0, 1.0, (9, 12)).astype(np.float32)
    smears = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    spots = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(4, 14))):
        place = (int(rng.integers(width)), int(rng.integers(height)))
        radius = max(int(rng.uniform(0.01, 0.05) * width), 1)
        cv2.circle(spots, place, radius, float(rng.uniform(0.3, 0.8)), -1)
    spots = np.asarray(cv2.GaussianBlur(spots, (0, 0), 0.012 * width), np.float32)
    dirt: Floats = np.clip(0.45 + 0.25 * smears + spots, 0.0, 0.95)
    return dirt


def _tone_curve(sensor: Sensor) -> Floats:
    """[TONES]: display level 0..255 of linear light 0 .. ``HIGHEST``."""
    linear = np.linspace(0.0, HIGHEST, TONES)
    shown = linear ** (1.0 / sensor.gamma)
    shown = 0.5 + (shown - 0.5) * sensor.contrast
    over = np.maximum(shown - SHOULDER, 0.0)
    room = 1.0 - SHOULDER
    shown = np.minimum(shown, SHOULDER) + room * (1.0 - np.exp(-over / (0.75 * room)))
    return (255.0 * np.clip(shown, 0.0, 1.0)).astype(np.float32)
