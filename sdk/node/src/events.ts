/**
 * The event of a change: as sent by the server, or created by the client with the type `prompt.refreshed`.
 */
export interface ChangeEvent {
  readonly type: string;
  readonly key: string;
  readonly env: string;
  readonly version: string;
  readonly [field: string]: unknown;
}

/** Makes the event print as its type, so that `${event}` is `prompt.updated`. */
export function changeEvent<Fields extends ChangeEvent>(fields: Fields): Fields {
  return Object.defineProperty(fields, "toString", { value: () => fields.type, enumerable: false });
}
