/** What was asked for: the benchmarks to run, or the names that fit none. */
export interface Choice<B> {
  readonly chosen: readonly B[]
  readonly unknown: readonly string[]
}

/**
 * Chooses benchmarks by name or by how names begin: `append` chooses all appends. A name that
 * exists chooses only itself: `append/1` does not choose `append/128`. No names choose all.
 */
export function chooseBenchmarks<B extends { readonly names: readonly string[] }>(
  benchmarks: readonly B[],
  asked: readonly string[],
): Choice<B> {
  if (asked.length === 0) return { chosen: benchmarks, unknown: [] }
  const names = benchmarks.flatMap((benchmark) => benchmark.names)
  const fitting = new Map(asked.map((name) => [name, fittingNames(names, name)]))
  const wanted = new Set([...fitting.values()].flat())
  return {
    chosen: benchmarks.filter((benchmark) => benchmark.names.some((name) => wanted.has(name))),
    unknown: asked.filter((name) => fitting.get(name)?.length === 0),
  }
}

function fittingNames(names: readonly string[], asked: string): readonly string[] {
  return names.includes(asked) ? [asked] : names.filter((name) => name.startsWith(asked))
}
