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
  const { kind, name, from, on, registry } = value
  if (kind === 'process') return false
  const begins = from === 'now' || from === 'start' || typeof from === 'bigint'
  return typeof name === 'string' && begins && isRecord(on) && isRegistry(registry)
}

/** Tells whether a value has the shape of a route. */
export function isRoute(value: unknown): boolean {
  return isRecord(value) && value.kind === 'route' && isReactor(value)
}

/** Tells whether a value has the shape of a relay. */
export function isRelay(value: unknown): boolean {
  if (!isRecord(value)) return false
  return value.kind === 'relay' && typeof value.name === 'string' && typeof value.to === 'function'
}

/** Tells whether a value has the shape of a process. */
export function isProcess(value: unknown): boolean {
  if (!isRecord(value)) return false
  const { kind, name, starts, on, registry } = value
  const isComplete = starts instanceof Set && isRecord(on) && isRegistry(registry)
  return kind === 'process' && typeof name === 'string' && isComplete
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
  if (isRoute(value)) return 'a route'
  if (isRelay(value)) return 'a relay'
  if (isReactor(value)) return 'a reactor'
  if (isProcess(value)) return 'a process'
  if (isTask(value)) return 'a task'
  if (isEvent(value)) return 'an event definition'
  if (Array.isArray(value)) return 'an array'
  if (value instanceof Promise) return 'a promise'
  return typeof value === 'object' ? 'another object' : `a ${typeof value}`
}

/** Tells whether a value has the shape of an event's definition. */
export function isEvent(value: unknown): boolean {
  return isRecord(value) && typeof value.type === 'string' && typeof value.upcast === 'function'
}

/** Tells whether a value has the shape of a parsed item of graphile-worker's cron. */
export function isCronItem(value: unknown): boolean {
  if (!isRecord(value)) return false
  const { task, identifier, match } = value
  return typeof task === 'string' && typeof identifier === 'string' && match !== undefined
}

function isRegistry(value: unknown): boolean {
  return isRecord(value) && Array.isArray(value.types) && typeof value.upcast === 'function'
}

/** Tasks and events are functions with properties. */
function isRecord(value: unknown): value is Record<string, unknown> {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}
