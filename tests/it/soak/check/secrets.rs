//! I4: nothing that was said holds a secret.

use unionid_bridge::sandbox::MINI_PROGRAM;

use crate::soak::town::Town;

impl Town {
    /// The tokens of now are secrets too.
    pub(super) async fn note_tokens(&self) {
        for account in ["main", MINI_PROGRAM] {
            let shown = self.replicas[0].bridge.json(&["token", "show", account]).await;
            let token = shown["access_token"].as_str().unwrap().to_owned();
            self.ledger.keep_secret_always(token);
        }
    }

    /// Once everything has been said.
    pub(super) fn check_secrets(&self) {
        let secrets = self.ledger.secrets.lock().unwrap().clone();
        let mut length = 0;
        for (number, replica) in self.replicas.iter().enumerate() {
            let said = replica.said();
            length += said.len();
            for secret in &secrets {
                let line = said.lines().find(|line| line.contains(secret.as_str()));
                assert_eq!(line, None, "replica {number} tells the secret {secret:?}");
            }
        }
        assert!(length > 0);
        println!("soak: {} secrets looked for in {length} bytes of logs", secrets.len());
    }
}
