// The views, in the order of the navigation.

import { view as captcha } from "./captcha.js";
import { view as classify } from "./classify.js";
import { view as denoise } from "./denoise.js";
import { view as digits } from "./digits.js";
import { view as gan } from "./gan.js";
import { view as houses } from "./houses.js";
import { view as vae } from "./vae.js";

export const views = [digits, captcha, denoise, vae, gan, classify, houses];
