import { pino } from 'pino'
import type { Logger } from '../core/logger.ts'

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const

export type LogLevel = (typeof logLevels)[number]

/**
 * Makes a logger that writes JSON lines on stderr, at once, so that none is lost at the end. Errors
 * have stack traces and causes only when it is verbose.
 */
export function createLogger(level: LogLevel, verbose: boolean): Logger {
  return pino(
    {
      level,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      ...(verbose ? {} : { serializers: { err: briefError, error: briefError } }),
    },
    pino.destination({ fd: 2, sync: true }),
  )
}

function briefError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { name, message } = error
  return { type: name, message, ...('code' in error ? { code: error.code } : {}) }
}
