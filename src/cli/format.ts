/** Writes a whole number for people: `12,345`. */
export function formatCount(count: bigint | number): string {
  return count.toLocaleString('en-US', { maximumFractionDigits: 0 })
}

const units = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** Writes a size for people: `16.0 MiB`. */
export function formatBytes(bytes: bigint): string {
  if (bytes < 1024n) return `${bytes} B`
  let value = Number(bytes) / 1024
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${value.toFixed(1)} ${units[unit]}`
}

/** Writes a duration for people, in its two largest units: `850 ms`, `12.3 s`, `3 min 5 s`. */
export function formatDuration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  const days = Math.floor(hours / 24)
  if (days > 0) return `${days} d ${hours % 24} h`
  if (hours > 0) return `${hours} h ${minutes % 60} min`
  return `${minutes} min ${seconds % 60} s`
}

/** Puts a text on one line and takes out what could steer a terminal. */
export function oneLine(text: string): string {
  return text
    .replaceAll(/\p{Cc}+/gu, ' ')
    .replaceAll(/ {2,}/g, ' ')
    .trim()
}

/** Writes a value as JSON. A bigint becomes a string. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'bigint' ? part.toString() : part,
  )
}
