import cliProgress from 'cli-progress'

/** A line that shows how far something has come. */
export interface ProgressLine {
  update(done: number, total?: number): void
  stop(): void
}

/** Progress lines: bars on a terminal, an occasional line of text elsewhere. */
export interface Progress {
  line(label: string, total: number): ProgressLine
  stop(): void
}

/** Shows progress on standard error, so that results can be piped. */
export function createProgress(stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? bars(stream) : lines(stream)
}

function bars(stream: NodeJS.WriteStream): Progress {
  const multi = new cliProgress.MultiBar({
    stream,
    clearOnComplete: false,
    hideCursor: true,
    format: '{label} {bar} {percentage}% | {value}/{total} | {rate}/s | ETA {eta_formatted}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
  })
  return {
    line: (label, total) => {
      const began = performance.now()
      const bar = multi.create(total, 0, { label: label.padEnd(12), rate: 0 })
      return {
        update: (done, newTotal) => {
          if (newTotal !== undefined) bar.setTotal(newTotal)
          bar.update(done, { rate: rateOf(done, began) })
        },
        stop: () => bar.stop(),
      }
    },
    stop: () => multi.stop(),
  }
}

const secondsBetweenLines = 2

function lines(stream: NodeJS.WriteStream): Progress {
  return {
    line: (label, total) => {
      const began = performance.now()
      let last = began
      return {
        update: (done, newTotal = total) => {
          const now = performance.now()
          if (done < newTotal && now - last < secondsBetweenLines * 1_000) return
          last = now
          stream.write(`${label}: ${done} of ${newTotal} (${rateOf(done, began)}/s)\n`)
        },
        stop: () => {},
      }
    },
    stop: () => {},
  }
}

function rateOf(done: number, began: number): number {
  const seconds = (performance.now() - began) / 1_000
  return seconds === 0 ? 0 : Math.round(done / seconds)
}
