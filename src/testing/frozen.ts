/** Freezes a value and all that it holds. */
export function frozen(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  // A view over memory cannot be frozen.
  if (!ArrayBuffer.isView(value)) Object.freeze(value)
  for (const part of Object.values(value)) frozen(part)
  return value
}
