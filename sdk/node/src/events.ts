/** What notified of a change: as on the wire, or made by the client with the type `prompt.refreshed`. */
export interface ChangeEvent {
  readonly type: string;
  readonly key: string;
  readonly env: string;
  readonly version: string;
  readonly [field: string]: unknown;
}

/** An event that prints as its type, so that `${event}` is `prompt.updated`. */
export function changeEvent<Fields extends ChangeEvent>(fields: Fields): Fields {
  return Object.defineProperty(fields, "toString", { value: () => fields.type, enumerable: false });
}
