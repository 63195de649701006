import type { Logger } from '../../src/core/logger.ts'

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly fields: Readonly<Record<string, unknown>>
  readonly message: string
  /** Code of the error that came with the line. */
  readonly code: string | undefined
}

/** A logger that keeps its lines. */
export interface CapturedLog extends Logger {
  readonly lines: readonly LogLine[]
  /** Lines of a level. */
  at(level: LogLine['level']): readonly LogLine[]
  /** Lines that came with an error of a code. */
  withCode(code: string): readonly LogLine[]
  forget(): void
}

export function captureLog(): CapturedLog {
  const lines: LogLine[] = []
  const keep = (level: LogLine['level']) => (fields: object, message: string) => {
    const { err, code } = fields as { err?: { code?: unknown }; code?: unknown }
    const found = code ?? err?.code
    lines.push({
      level,
      fields: fields as Record<string, unknown>,
      message,
      code: typeof found === 'string' ? found : undefined,
    })
  }
  return {
    lines,
    at: (level) => lines.filter((line) => line.level === level),
    withCode: (code) => lines.filter((line) => line.code === code),
    forget: () => {
      lines.length = 0
    },
    debug: keep('debug'),
    info: keep('info'),
    warn: keep('warn'),
    error: keep('error'),
  }
}
