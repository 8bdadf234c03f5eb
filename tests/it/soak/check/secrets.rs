//! No log contains a secret (I4).

use unionid_bridge::sandbox::MINI_PROGRAM;

use crate::soak::cluster::Cluster;

impl Cluster {
    /// Adds the current access tokens to the secrets.
    pub(super) async fn keep_tokens(&self) {
        for account in ["main", MINI_PROGRAM] {
            let shown = self.replicas[0].bridge.json(&["token", "show", account]).await;
            let token = shown["access_token"].as_str().unwrap().to_owned();
            self.ledger.keep_secret_always(token);
        }
    }

    /// Runs after all replicas have stopped.
    pub(super) fn check_secrets(&self) {
        let secrets = self.ledger.secrets.lock().unwrap().clone();
        let mut length = 0;
        for (number, replica) in self.replicas.iter().enumerate() {
            let output = replica.output();
            length += output.len();
            for secret in &secrets {
                let line = output.lines().find(|line| line.contains(secret.as_str()));
                assert_eq!(line, None, "replica {number} logged the secret {secret:?}");
            }
        }
        assert!(length > 0);
        println!("soak: searched {length} bytes of logs for {} secrets", secrets.len());
    }
}
