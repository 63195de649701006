import { pino } from 'pino'
import type { Logger } from '../core/logger.ts'

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const

export type LogLevel = (typeof logLevels)[number]

/** Makes a logger that writes JSON lines on stderr, at once, so that none is lost at the end. */
export function createLogger(level: LogLevel): Logger {
  return pino(
    {
      level,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ fd: 2, sync: true }),
  )
}
