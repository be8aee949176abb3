// The views, in the order of the navigation.

import { view as digits } from "./digits.js";
import { view as houses } from "./houses.js";

export const views = [digits, houses];
