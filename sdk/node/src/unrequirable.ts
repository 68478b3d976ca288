import { isNeeded } from "./requirable.js";

if (isNeeded) delete (globalThis as { require?: unknown }).require;
