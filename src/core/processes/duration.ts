import { optionInvalid } from '../option-invalid.ts'

/** A length of time: milliseconds, or a number with its unit: `'30s'`, `'15m'`, `'1.5h'`, `'7d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/**
 * Gives a length of time in whole milliseconds.
 *
 * @throws OPTION_INVALID when it is not one, or is negative.
 */
export function durationMs(duration: Duration): number {
  const [, amount = '', unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(String(duration)) ?? []
  const ms = typeof duration === 'number' ? duration : Number(amount) * (unitMs[unit] ?? Number.NaN)
  if (Number.isFinite(ms) && ms >= 0) return Math.round(ms)
  throw optionInvalid(
    'duration',
    `"${duration}" is not one: say milliseconds, or '30s', '15m', '7d'`,
  )
}
