export interface NumericOptions {
  /** Digits in all, 1 to 1,000. Default: any number of them. */
  readonly precision?: number
  /** Digits behind the point, 0 to the precision. Default 0 with a precision. */
  readonly scale?: number
}

/** What the server's numeric holds at most. */
const most = { whole: 131_072, fraction: 16_383 }

/**
 * Spells a number as the server does: no exponent, no plus, no needless zeros before the point, and
 * the zeros behind it that were written. Throws for what would be rounded.
 */
export function normalizeNumeric(value: unknown, options: NumericOptions): string {
  if (typeof value !== 'string') throw new TypeError('it takes a number written as a string')
  if (value === 'NaN') return value
  if (/^-?Infinity$/.test(value)) {
    if (options.precision === undefined) return value
    throw new RangeError('a numeric with a precision is not infinite')
  }
  const parts = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,6}))?$/.exec(value)
  const [, sign = '', before = '', behind = '', exponent = '0'] = parts ?? []
  if (parts === null || before + behind === '') {
    throw new RangeError('a numeric is written as -1234.50, NaN or Infinity')
  }
  const { whole, fraction } = fitInto(shift(before, behind, Number(exponent)), options)
  const digits = fraction === '' ? whole : `${whole}.${fraction}`
  return sign === '-' && /[1-9]/.test(digits) ? `-${digits}` : digits
}

interface Digits {
  readonly whole: string
  readonly fraction: string
}

function shift(before: string, behind: string, exponent: number): Digits {
  const limit = most.whole + most.fraction
  if (before.length + behind.length + Math.abs(exponent) > limit) throw tooLong()
  const digits = before.padStart(-exponent, '0') + behind.padEnd(exponent, '0')
  const point = Math.max(before.length, -exponent) + exponent
  return {
    whole: digits.slice(0, point).replace(/^0+(?=\d)/, '') || '0',
    fraction: digits.slice(point),
  }
}

function fitInto({ whole, fraction }: Digits, { precision, scale = 0 }: NumericOptions): Digits {
  if (precision === undefined) {
    if (whole.length > most.whole || fraction.length > most.fraction) throw tooLong()
    return { whole, fraction }
  }
  if (/[1-9]/.test(fraction.slice(scale))) {
    throw new RangeError(`it would be rounded to ${scale} digits behind the point`)
  }
  if (whole !== '0' && whole.length > precision - scale) {
    throw new RangeError(`it has more than ${precision - scale} digits before the point`)
  }
  return { whole, fraction: fraction.slice(0, scale).padEnd(scale, '0') }
}

function tooLong(): Error {
  return new RangeError('a numeric has at most 131,072 digits before the point and 16,383 behind')
}
