import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.TableResult;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

/** Runs each file as a statement of SQL, and waits for the last one until its sources end. */
public class FlinkSql {
    public static void main(String[] files) throws Exception {
        var settings = new Configuration();
        settings.setString("parallelism.default", "1");
        settings.setString("execution.checkpointing.interval", "1 s");
        var tables = StreamTableEnvironment.create(StreamExecutionEnvironment.getExecutionEnvironment(settings));
        TableResult last = null;
        for (String file : files) {
            String statement = Files.readString(Path.of(file));
            if (statement.startsWith("SET ")) {
                String[] words = statement.split("'");
                tables.getConfig().set(words[1], words[3]);
            } else {
                last = tables.executeSql(statement);
            }
        }
        last.await();
        Runtime.getRuntime().halt(0); // without waiting for the threads of the cluster
    }
}
