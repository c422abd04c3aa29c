import { useQueryClient } from "@tanstack/react-query";
import { App as AntApp } from "antd";

/** useGuestChange waits for something about guests, says that it is done, and asks anew. What is refused is thrown. */
export function useGuestChange() {
  const { message } = AntApp.useApp();
  const queries = useQueryClient();
  const change = async <T>(work: Promise<T>, done: string | ((made: T) => string)) => {
    try {
      const made = await work;
      void message.success(typeof done === "string" ? done : done(made));
    } finally {
      await queries.invalidateQueries({ queryKey: ["guests"] });
    }
  };
  return { change };
}
