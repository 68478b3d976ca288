// In this order: see requirable.ts.
import "./requirable.js";
import { type ClientOptions, WebSocket } from "ws";
import "./unrequirable.js";

export { type ClientOptions, WebSocket };
