/** Tells whether a value has the shape of a projection. */
export function isProjection(value: unknown): boolean {
  if (!isRecord(value)) return false
  const { name, version, viewSchema, tables, folds, registry } = value
  return (
    typeof name === 'string' &&
    Number.isInteger(version) &&
    typeof viewSchema === 'string' &&
    isRecord(tables) &&
    Array.isArray(folds) &&
    isRegistry(registry)
  )
}

/** Tells whether a value has the shape of a reactor. */
export function isReactor(value: unknown): boolean {
  if (!isRecord(value)) return false
  const { name, from, on, registry } = value
  const begins = from === 'now' || from === 'start' || typeof from === 'bigint'
  return typeof name === 'string' && begins && isRecord(on) && isRegistry(registry)
}

/** Tells whether a value has the shape of a task. */
export function isTask(value: unknown): boolean {
  return isRecord(value) && typeof value.task === 'string' && typeof value.run === 'function'
}

/** Names what a value is, for people who put it in the wrong place. */
export function nameKind(value: unknown): string {
  if (value === undefined) return 'undefined: is it exported under this name?'
  if (value === null) return 'null'
  if (isProjection(value)) return 'a projection'
  if (isReactor(value)) return 'a reactor'
  if (isTask(value)) return 'a task'
  if (isEvent(value)) return 'an event definition'
  if (Array.isArray(value)) return 'an array'
  if (value instanceof Promise) return 'a promise'
  return typeof value === 'object' ? 'another object' : `a ${typeof value}`
}

function isEvent(value: unknown): boolean {
  return isRecord(value) && typeof value.type === 'string' && typeof value.upcast === 'function'
}

function isRegistry(value: unknown): boolean {
  return isRecord(value) && Array.isArray(value.types) && typeof value.upcast === 'function'
}

/** Tasks and events are functions with properties. */
function isRecord(value: unknown): value is Record<string, unknown> {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}
